// Closes the account of the signed-in user, from the page of their data.
import { html } from 'ghtml';
import Type from 'typebox';
import { costing, mailCost } from '../../http/limit/limits.ts';
import { addressOf, hidden, notice } from '../../http/markup.ts';
import type { SectionPart } from '../../page/account-section.ts';
import { form, formPage, pageForms, type PageRoutes } from '../../page/form-page.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { withTimes } from '../../page/time.ts';
import type { BrowserCookies } from '../../identity/browser-cookies.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import type { TokenPage } from '../../identity/token/page-parts.ts';
import { deletionUndoKind, type AccountDeletion, type ClosedAccount } from './deletion.ts';
import { deletionDays } from './event.ts';
import { closedPath, type ClosedAccountReopening } from './reopening.ts';

const closePath = `${paths.data}/close`;

/** Returns the form that closes the account, as a part of the page of the user's data. */
export function closeAccountPart(pages: PageKit): SectionPart {
  return {
    section: 'data',
    render: ({ t, request }) =>
      html`<h2>${t('page.data.close')}</h2>
        <p>${t('page.data.close_what')}</p>
        <form method="post" action="${closePath}">
          !${pages.formToken(sessionOf(request).id)}
          <label class="choice">
            <input type="checkbox" name="sure" value="yes" required /> ${t('page.data.sure')}
          </label>
          <button class="danger">${t('page.data.close_act')}</button>
        </form>`,
  };
}

/** The form that closes the account, at the access level `session`. */
export function closeAccountPages({
  pages,
  cookies,
  deletion,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly deletion: AccountDeletion;
}): PageRoutes['routes'] {
  return pageForms(pages, {
    subject: (request) => sessionOf(request).id,
    forms: [
      form({
        path: closePath,
        summary: 'Page: closes your account',
        config: costing(mailCost),
        fields: Type.Object({ sure: Type.Optional(formField) }),
        back: () => paths.data,
        submit: async ({ sure }, { request, reply }) => {
          if (sure !== 'yes') return paths.data;
          await deletion.request(sessionOf(request), request.source);
          cookies.clearSession(reply);
          return closedPath;
        },
      }),
    ],
  });
}

interface ClosedView {
  readonly token: string;
  /** The account that the token reopens. */
  readonly closed: ClosedAccount | undefined;
}

/**
 * The page after an account was closed, at the access level `open`: its session has ended. A user who signs in to a closed
 * account gets here too, with a token for the button that keeps the account.
 */
export function closedPages({
  pages,
  reopening,
}: {
  readonly pages: PageKit;
  readonly reopening: ClosedAccountReopening;
}): PageRoutes['routes'] {
  return formPage<ClosedView>(pages, {
    path: reopening.path,
    summary: 'Page: your account is closed',
    title: 'page.data.closed_title',
    query: Type.Object({ token: Type.Optional(formField) }),
    hasSecretAddress: true,
    load: async ({ query, request }) => {
      const { token = '' } = query;
      return { token, closed: await reopening.find(token, request.source) };
    },
    body: ({ t, next, inputs }, { token, closed }) => {
      const signIn = html`<p>
        <a class="button second" href="${addressOf(paths.signIn, { return_to: next })}"
          >${t('page.sign_in.title')}</a
        >
      </p>`;
      if (token === '')
        return html`<p class="notice done" role="status">${t('page.data.closed', { days: deletionDays })}</p>
          !${signIn}`;
      if (closed === undefined) return html`!${notice('fault', t('page.problem.token_invalid'))} !${signIn}`;
      return html`<p class="who">${closed.email}</p>
        <p>!${withTimes(t, 'page.data.closed_until', { until: closed.deleteAt }, 'day')}</p>
        <form method="post" action="${deletionUndoKind.page.path}">
          !${inputs} !${hidden('token', token)}
          <button>${t('page.deletion_undo.act')}</button>
        </form>`;
    },
  }).routes;
}

/** The page that reopens a closed account. */
export function undoPage(deletion: AccountDeletion): TokenPage {
  return {
    kind: deletionUndoKind,
    async redeem({ token }, { request }) {
      await deletion.undo(token, request.source);
      return undefined;
    },
  };
}
