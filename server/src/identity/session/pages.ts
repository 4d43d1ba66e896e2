// Pages that list and end the sessions of the signed-in user, and sign out.
import { html } from 'ghtml';
import Type from 'typebox';
import { nameDevice } from '../../kit/device.ts';
import { freeRead } from '../../http/limit/limits.ts';
import { addressOf, hidden } from '../../http/markup.ts';
import { renderParts, type AccountSection, type SectionPart } from '../../page/account-section.ts';
import { Redirect, form, formPage, type PageRoutes, type Visit } from '../../page/form-page.ts';
import { icon } from '../../page/icon.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { withTimes } from '../../page/time.ts';
import { parseFactors } from '../factor/factor-use.ts';
import type { BrowserCookies } from '../browser-cookies.ts';
import { sessionOf } from './guard.ts';
import type { Sessions } from './session.ts';
import type { ListedSession } from './session-entry.ts';

/** Maximum number of sessions on the page. */
export const maxListed = 50;

export const sessionSection = {
  path: paths.sessions,
  name: 'sessions',
  icon: 'devices',
  group: 'history',
} as const satisfies AccountSection;

/** The page of sessions, at the access level `session`. */
export function sessionPages({
  pages,
  sessions,
  parts,
}: {
  readonly pages: PageKit;
  readonly sessions: Sessions;
  /** Parts of other modules, shown below the sessions. */
  readonly parts: readonly SectionPart[];
}): PageRoutes['routes'] {
  const { path } = sessionSection;
  return formPage<readonly ListedSession[]>(pages, {
    path,
    summary: 'Page: your sessions and devices',
    title: 'page.sessions.title',
    layout: 'account',
    subject: (request) => sessionOf(request).id,
    done: { ended: 'page.sessions.ended' },
    load: ({ request }) => sessions.list(sessionOf(request).userId, maxListed),
    body: async (visit, listed) => {
      const { t, inputs } = visit;
      const others =
        listed.length < 2
          ? ''
          : html`<form method="post" action="${path}/others">
              !${inputs}
              <button class="second">${t('page.sessions.end_others')}</button>
            </form>`;
      return html`<p>${t('page.sessions.what')}</p>
        <ul class="rows">
          !${listed.map((session) => sessionItem(visit, session))}
        </ul>
        !${others} !${await renderParts(parts, 'sessions', visit)}`;
    },
    forms: [
      form({
        summary: 'Page: ends one of your sessions',
        fields: Type.Object({ id: Type.Optional(formField) }),
        submit: async ({ id = '' }, { request }) => {
          const current = sessionOf(request);
          await sessions.endOwn(current, id, request.source);
          return id === current.id ? paths.signIn : addressOf(path, { done: 'ended' });
        },
      }),
      form({
        path: `${path}/others`,
        summary: 'Page: ends your other sessions',
        fields: Type.Object({}),
        submit: async (_fields, { request }) => {
          await sessions.endOthers(sessionOf(request), request.source);
          return addressOf(path, { done: 'ended' });
        },
      }),
    ],
  }).routes;
}

/**
 * The page that asks before it signs out, at the access level `optional`: without a session there is nothing to end, and
 * the person is where they wanted to be.
 */
export function signOutPages({
  pages,
  cookies,
  sessions,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly sessions: Sessions;
}): PageRoutes['routes'] {
  return formPage<string>(pages, {
    path: paths.signOut,
    summary: 'Page: sign out',
    config: freeRead,
    title: 'page.sign_out.title',
    subject: ({ session }) => session?.id,
    load: ({ request: { session }, next }) => session?.email ?? new Redirect(signedOut(next)),
    body: ({ t, inputs, next }, email) =>
      html`<p>${t('page.sign_out.what', { email })}</p>
        <form method="post" action="${paths.signOut}">
          !${inputs}
          <button>${t('page.sign_out.act')}</button>
        </form>
        <p class="links"><a href="${next ?? paths.account}">${t('page.sign_out.stay')}</a></p>`,
    forms: [
      form({
        summary: 'Page: signs out',
        fields: Type.Object({}),
        submit: async (_fields, { request, reply, next }) => {
          if (request.session !== null) await sessions.end(request.session.id, request.source);
          cookies.clearSession(reply);
          return signedOut(next);
        },
      }),
    ],
  }).routes;
}

/** Returns where a person continues who is signed out. */
function signedOut(next: string | undefined): string {
  return next ?? addressOf(paths.signIn, { done: 'signed_out' });
}

function sessionItem(
  { t, request, inputs }: Visit,
  { id, device, address, last_seen_at: seen, created_at: created, factors, isActive }: ListedSession,
): string {
  const uses = parseFactors(factors).map(({ factor }) => t(`page.factor.${factor}`));
  const name = nameDevice(device ?? undefined) ?? t('page.sessions.unknown');
  const isCurrent = id === sessionOf(request).id;
  return html`<li>
    !${icon(/Android|iOS/.test(name) ? 'phone' : 'devices')}
    <div>
      <strong>${name}</strong> !${isCurrent ? html`<em>${t('page.sessions.current')}</em>` : ''}
      <small
        >!${isCurrent || isActive ? t('page.sessions.active') : withTimes(t, 'page.sessions.seen', { seen }, 'ago')}</small
      >
      <small>!${withTimes(t, 'page.sessions.since', { created }, 'moment')}</small>
      <small>${[uses.join(' + '), address ?? ''].filter(Boolean).join(' · ')}</small>
    </div>
    !${
      isCurrent
        ? ''
        : html`<form method="post" action="${sessionSection.path}">
            !${inputs} !${hidden('id', id)}
            <button class="small" aria-label="${t('page.sessions.end_one', { name })}">
              ${t('page.sessions.end')}
            </button>
          </form>`
    }
  </li>`;
}
