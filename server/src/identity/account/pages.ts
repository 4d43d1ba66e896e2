// The account page: one advice, and the pages of the account, each with its state.
import { html } from 'ghtml';
import type { Translate } from '../../http/pages.ts';
import type { AccountSection, Advice, SignedIn } from '../../page/account-section.ts';
import { formPage, type PageRoutes } from '../../page/form-page.ts';
import { icon } from '../../page/icon.ts';
import type { PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { sessionOf } from '../session/guard.ts';

type ShownAdvice = Advice & { readonly path: string };

interface AccountView {
  /** Markup of the groups of sections. */
  readonly groups: string;
  readonly advice: ShownAdvice | undefined;
}

/** Page at the access level `session`. */
export function accountPages({ pages }: { readonly pages: PageKit }): PageRoutes['routes'] {
  return formPage<AccountView>(pages, {
    path: paths.account,
    summary: 'Page: your account',
    title: 'page.account.title',
    subject: (request) => sessionOf(request).id,
    load: async ({ request, t }) => {
      const session = sessionOf(request);
      return {
        groups: await renderGroups(t, pages.sections, session),
        advice: await firstAdvice(t, pages.sections, session),
      };
    },
    body: ({ t, request, inputs }, { groups, advice }) =>
      html`<p class="who">${t('page.account.what', { email: sessionOf(request).email })}</p>
        !${advice === undefined ? '' : renderAdvice(advice)}
        <nav aria-label="${t('page.account.title')}">!${groups}</nav>
        <form method="post" action="${paths.signOut}">
          !${inputs}
          <button class="second">${t('page.sign_out.act')}</button>
        </form>`,
  }).routes;
}

async function renderGroups(
  t: Translate,
  sections: readonly AccountSection[],
  session: SignedIn,
): Promise<string> {
  const groups = (['sign_in', 'history'] as const).map(async (group) => {
    const own = sections.filter((section) => section.group === group);
    if (own.length === 0) return '';
    const items = await Promise.all(own.map((section) => renderSection(t, section, session)));
    return html`<h2 class="group">${t(`page.account.${group}`)}</h2>
      <ul class="sections">
        !${items}
      </ul>`;
  });
  return (await Promise.all(groups)).join('');
}

async function renderSection(
  t: Translate,
  { path, name, icon: sign, state }: AccountSection,
  session: SignedIn,
): Promise<string> {
  const { text, tone = '' } = (await state?.(session, t)) ?? { text: html`${t(`page.${name}.about`)}` };
  return html`<li>
    <a href="${path}"
      >!${icon(sign)}
      <span><strong>${t(`page.${name}.title`)}</strong> <span class="state ${tone}">!${text}</span></span></a
    >
  </li>`;
}

async function firstAdvice(
  t: Translate,
  sections: readonly AccountSection[],
  session: SignedIn,
): Promise<ShownAdvice | undefined> {
  const given = await Promise.all(
    sections.map(async ({ path, advice }) => {
      const own = await advice?.(session, t);
      return own === undefined ? [] : [{ ...own, path }];
    }),
  );
  return given.flat().toSorted((a, b) => a.rank - b.rank)[0];
}

function renderAdvice({ title, text, act, path }: ShownAdvice): string {
  return html`<section class="advice">
    !${icon('warning')}
    <div>
      <h2>${title}</h2>
      <p>${text}</p>
      <a class="button" href="${path}">${act}</a>
    </div>
  </section>`;
}
