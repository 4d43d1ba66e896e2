// The pages of the user's account, as modules contribute them.
import type { FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import { addressOf } from '../http/markup.ts';
import type { Translate } from '../http/pages.ts';
import { icon, type IconName } from './icon.ts';
import { paths } from './paths.ts';

/** Whose account a page shows. */
export interface SignedIn {
  readonly id: string;
  readonly userId: number;
  readonly email: string;
  /** Null if the user has given none. */
  readonly name: string | null;
}

/** A page of the account. The account page links to it. */
export interface AccountSection {
  readonly path: string;
  /** Its messages are `page.<name>.title` and `page.<name>.about`. */
  readonly name: string;
  readonly icon: IconName;
  /** `sign_in`: how the user signs in. `history`: what happened, and the data of the account. */
  readonly group: 'sign_in' | 'history';
  /** Users continue here after they added their first authenticator: at `?done=first`, with the address to return to. */
  readonly followsFirstFactor?: true;
  /** Returns the state of the section; the account page shows it instead of `page.<name>.about`. */
  readonly state?: (session: SignedIn, t: Translate) => Promise<SectionState>;
  /** Returns what the user should do next, if this section has something to advise. */
  readonly advice?: (session: SignedIn, t: Translate) => Promise<Advice | undefined>;
}

/** State of a section for a user, such as the number of passkeys. */
export interface SectionState {
  /** Markup. */
  readonly text: string;
  /** `good` is protected, `weak` should be changed. */
  readonly tone?: 'good' | 'weak';
}

/** Advice at the top of the account page. Only the most urgent one is shown. */
export interface Advice {
  /** 1 is the most urgent. */
  readonly rank: number;
  readonly title: string;
  readonly text: string;
  /** Label of the button, which leads to the section. */
  readonly act: string;
}

/** A page for developers, which the start page lists in local mode. */
export interface LocalPage {
  readonly path: string;
  /** Its title is the message `page.<name>.title`. */
  readonly name: string;
}

/** The page on which emails are read that are kept instead of sent. */
export interface KeptMailPage extends LocalPage {
  /** Its messages are `page.<name>.title` and `page.<name>.notice`. */
  readonly name: string;
}

/** The members of a visit that a part of a page needs. */
export interface PartVisit {
  readonly request: FastifyRequest;
  readonly t: Translate;
  readonly typed: (name: string) => string;
}

/** A part that a module adds to an account page of another module. */
export interface SectionPart {
  /** Name of the section of that page, or `factor` for the page of the second factor. */
  readonly section: 'sessions' | 'data' | 'factor';
  /** Markup of the part; empty if there is nothing to show. Called at the access level of that page. */
  readonly render: (visit: PartVisit) => Promise<string> | string;
}

/** Returns a list of links to sections, which lead on to `next`. */
export function sectionList(
  t: Translate,
  sections: readonly AccountSection[],
  next: string | undefined,
): string {
  const items = sections.map(
    ({ path, name, icon: sign }) =>
      html`<li>
        <a href="${addressOf(path, { return_to: next })}"
          >!${icon(sign)}
          <span><strong>${t(`page.${name}.title`)}</strong> <span>${t(`page.${name}.about`)}</span></span></a
        >
      </li>`,
  );
  return html`<ul class="sections">
    !${items}
  </ul>`;
}

/** Returns the navigation of the account's pages; `current` is the path of the page that shows it. */
export function sectionMenu(t: Translate, sections: readonly AccountSection[], current: string): string {
  const items = sections.map(
    ({ path, name, icon: sign }) =>
      html`<li>
        <a href="${path}" !${current === path || current.startsWith(`${path}/`) ? 'aria-current="page"' : ''}
          >!${icon(sign)} ${t(`page.${name}.title`)}</a
        >
      </li>`,
  );
  return html`<nav class="aside" aria-label="${t('page.account.title')}">
    <ul>
      <li><a href="${paths.account}">!${icon('person')} ${t('page.account.overview')}</a></li>
      !${items}
    </ul>
  </nav>`;
}

/** Returns the markup of the parts of a section, in their order. */
export async function renderParts(
  parts: readonly SectionPart[],
  section: SectionPart['section'],
  visit: PartVisit,
): Promise<string> {
  const own = parts.filter((part) => part.section === section);
  return (await Promise.all(own.map(async ({ render }) => render(visit)))).join('');
}
