// Closes the account of the signed-in user, from the page of their data, and opens it again by a mailed link.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import Type from 'typebox';
import { costing } from '../../http/limits.ts';
import { notice } from '../../http/markup.ts';
import { mailCost } from '../../http/fields.ts';
import { ownSections } from '../../page/account-section.ts';
import { accountBody, refusalOf } from '../../page/page-form.ts';
import {
  formField,
  formToken,
  rerenderOnProblem,
  requireForm,
  seeOther,
  type PageRoom,
  type SectionPart,
} from '../../page/page-guard.ts';
import { sessionOf, sourceOf } from '../../identity/sign-in/guard.ts';
import type { TokenPage } from '../../identity/token/pages.ts';
import { deletionUndoKind } from './deletion.ts';

const CloseForm = Type.Object({
  sure: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

const closePath = `${ownSections.data.path}/close`;

/** The form that closes the account, as a part of the page of the user's data. */
export const closeAccountPart: SectionPart = (room, t, session) =>
  html`<h2>${t('page.data.close')}</h2>
    <p>${t('page.data.close_what')}</p>
    <form method="post" action="${closePath}">
      !${formToken(room, session.id)}
      <label class="choice">
        <input type="checkbox" name="sure" value="yes" required /> ${t('page.data.sure')}
      </label>
      <button class="danger">${t('page.data.close_act')}</button>
    </form>`;

/** Behind the member door for pages. */
export const closeAccountPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages, cookie } = room;
  scope.post(
    closePath,
    { config: costing(mailCost), schema: { summary: 'Page: closes your account', body: CloseForm } },
    async (request, reply) => {
      const session = sessionOf(request);
      requireForm(room, session.id, request.body.form_token);
      if (request.body.sure !== 'yes') return seeOther(reply, ownSections.data.path);
      const t = pages.speak(request);
      return rerenderOnProblem(
        reply,
        async () => {
          const { deleteAt } = await auth.deletions.request(session, sourceOf(request, room));
          void reply.header('set-cookie', cookie.clear());
          const body = notice('done', t('page.data.closed', { deleteAt }));
          return pages.send(request, reply, { title: t('page.data.closed_title'), body });
        },
        async (problem) => {
          const body = html`!${refusalOf(t, problem, [])} !${await closeAccountPart(room, t, session)}`;
          return pages.send(request, reply, { title: t('page.data.title'), body: accountBody(t, body) });
        },
      );
    },
  );
};

/** Opens the account again. */
export function deletionUndoPage(room: PageRoom): TokenPage {
  return {
    kind: deletionUndoKind,
    async redeem({ token }, request) {
      await room.auth.deletions.undo(token, sourceOf(request, room));
      return undefined;
    },
  };
}
