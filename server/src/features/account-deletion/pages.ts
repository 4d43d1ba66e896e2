// Closes the account of the signed-in user, from the page of their data.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import Type from 'typebox';
import { notice } from '../../http/markup.ts';
import { mailCost } from '../../http/fields.ts';
import { seeOther, rerenderOnProblem, formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { refusalOf } from '../../page/form.ts';
import type { SectionPart } from '../../page/account-section.ts';
import type { BrowserCookies } from '../../identity/guard.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import { costing } from '../../http/limits.ts';
import type { TokenPage } from '../../identity/token/pages.ts';
import { deletionUndoKind, type AccountDeletion } from './deletion.ts';

const CloseForm = Type.Object({
  sure: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

const closePath = `${paths.data}/close`;

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

/** The page that closes the account. */
export function closeAccountPages({
  pages,
  cookies,
  deletion,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly deletion: AccountDeletion;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      closePath,
      { config: costing(mailCost), schema: { summary: 'Page: closes your account', body: CloseForm } },
      async (request, reply) => {
        const session = sessionOf(request);
        pages.requireForm(session.id, request.body.form_token);
        if (request.body.sure !== 'yes') return seeOther(reply, paths.data);
        const t = pages.translate(request);
        return rerenderOnProblem(
          reply,
          async () => {
            const { deleteAt } = await deletion.request(session, request.source);
            cookies.clearSession(reply);
            const body = notice('done', t('page.data.closed', { deleteAt }));
            return pages.send(request, reply, { title: t('page.data.closed_title'), body });
          },
          async (problem) => {
            const body = html`!${refusalOf(t, problem, [])} !${await closeAccountPart(pages).render(request)}`;
            return pages.sendAccount(request, reply, { title: t('page.data.close_page'), body });
          },
        );
      },
    );
  };
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
