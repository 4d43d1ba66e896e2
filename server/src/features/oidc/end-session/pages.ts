// Asks whether an application may sign the user out.
import { html } from 'ghtml';
import Type from 'typebox';
import { freeRead } from '../../../http/limit/limits.ts';
import { addressOf, hidden } from '../../../http/markup.ts';
import { Redirect, form, formPage, type PageRoutes } from '../../../page/form-page.ts';
import { formField } from '../../../page/page.ts';
import type { PageKit } from '../../../page/page.ts';
import { paths } from '../../../page/paths.ts';
import type { BrowserCookies } from '../../../identity/browser-cookies.ts';
import type { Sessions } from '../../../identity/session/session.ts';
import { oidcPaths } from '../engine/paths.ts';
import { stateField, type SealedState } from '../session/sealed-state.ts';
import { afterLogout, type LogoutQuestion } from './logout-request.ts';

export interface EndSessionPageParts {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly sessions: Pick<Sessions, 'end'>;
  readonly questions: SealedState<LogoutQuestion>;
}

/** The page, at the access level `optional`. */
export function endSessionPages({
  pages,
  cookies,
  sessions,
  questions,
}: EndSessionPageParts): PageRoutes['routes'] {
  const path = oidcPaths.endSessionQuestion;
  return formPage<LogoutQuestion & { readonly email: string; readonly to: string }>(pages, {
    path,
    summary: 'Page: asks whether an application may sign the user out',
    config: freeRead,
    title: 'page.sign_out.title',
    subject: ({ session }) => session?.id,
    query: Type.Object({ to: stateField, ui_locales: Type.Optional(formField) }),
    load: ({ request: { session }, query: { to = '' } }) => {
      const question = questions.open(to) ?? {};
      if (session === null) return new Redirect(afterLogout(question.target));
      return { ...question, email: session.email, to };
    },
    body: ({ t, inputs }, { clientName: name, email, to }) => {
      const what =
        name === undefined
          ? t('page.oidc.sign_out_what')
          : t('page.oidc.sign_out_client', { name, product: pages.productName });
      return html`<p class="who">${email}</p>
        <p>${what}</p>
        <form method="post" action="${path}">
          !${inputs} !${hidden('to', to)}
          <button>${t('page.sign_out.act')}</button>
        </form>
        <p class="links"><a href="${paths.account}">${t('page.oidc.stay')}</a></p>`;
    },
    forms: [
      form({
        summary: 'Page: signs the user out for an application',
        fields: Type.Object({ to: stateField }),
        back: ({ to = '' }) => addressOf(path, { to }),
        submit: async ({ to }, { request: { session, source }, reply }) => {
          if (session !== null) await sessions.end(session.id, source);
          cookies.clearSession(reply);
          return afterLogout(questions.open(to)?.target);
        },
      }),
    ],
  }).routes;
}
