// Closes the account of the signed-in user, from the page of their data.
import { html } from 'ghtml';
import Type from 'typebox';
import { mailCost } from '../../http/fields.ts';
import { costing } from '../../http/limits.ts';
import type { SectionPart } from '../../page/account-section.ts';
import { form, formPage, pageForms, type PageRoutes } from '../../page/form-page.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import type { BrowserCookies } from '../../identity/guard.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import type { TokenPage } from '../../identity/token/page-parts.ts';
import { deletionUndoKind, type AccountDeletion } from './deletion.ts';
import { deletionDays } from './event.ts';

const closePath = `${paths.data}/close`;
const closedPath = '/account-closed';

/** Returns the form that closes the account, as a part of the page of the user's data. */
export function closeAccountPart(pages: PageKit): SectionPart {
  return {
    section: 'data',
    render: (request) => {
      const t = pages.translate(request);
      return html`<h2>${t('page.data.close')}</h2>
        <p>${t('page.data.close_what')}</p>
        <form method="post" action="${closePath}">
          !${pages.formToken(sessionOf(request).id)}
          <label class="choice">
            <input type="checkbox" name="sure" value="yes" required /> ${t('page.data.sure')}
          </label>
          <button class="danger">${t('page.data.close_act')}</button>
        </form>`;
    },
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

/** The page after an account was closed, at the access level `open`: its session has ended. */
export function closedPages({ pages }: { readonly pages: PageKit }): PageRoutes['routes'] {
  return formPage(pages, {
    path: closedPath,
    summary: 'Page: your account is closed',
    title: 'page.data.closed_title',
    load: () => ({}),
    body: ({ t }) =>
      html`<p class="notice done" role="status">${t('page.data.closed', { days: deletionDays })}</p>
        <p><a class="button second" href="${paths.signIn}">${t('page.sign_in.title')}</a></p>`,
  }).routes;
}

/** The page that reopens a closed account. */
export function undoPage(deletion: AccountDeletion): TokenPage {
  return {
    kind: deletionUndoKind,
    async redeem({ token }, request) {
      await deletion.undo(token, request.source);
      return undefined;
    },
  };
}
