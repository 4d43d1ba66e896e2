// Changes the password of the signed-in user, and requests the mail that resets a forgotten one.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import type { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { addressOf, field, notice } from '../../http/markup.ts';
import { hashCost } from '../../http/fields.ts';
import { ownSections } from '../../page/account-section.ts';
import { accountBody, newPasswordField, refusalOf } from '../../page/page-form.ts';
import {
  formField,
  formToken,
  seeOther,
  rerenderOnProblem,
  PageQuery,
  paths,
  requireForm,
  returnTo,
  type PageRoom,
} from '../../page/page-guard.ts';
import { admission, sessionOf, sourceOf } from '../sign-in/guard.ts';
import { addressOfAccount, type TokenPage } from '../token/pages.ts';
import { mountRequestPage } from '../token/request-page.ts';
import { resetKind } from './reset.ts';

const PasswordForm = Type.Object({
  password: formField,
  new_password: formField,
  form_token: Type.Optional(formField),
});

/** Where password managers lead a person who is to change a password (W3C, A well-known URL for changing passwords). */
export const changePasswordPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope) => {
  scope.get(
    '/.well-known/change-password',
    { schema: { summary: 'Page: where a password is changed' } },
    async (_request, reply) => seeOther(reply, ownSections.password.path),
  );
};

/** Requests the mail that resets a forgotten password. */
export const forgotPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  mountRequestPage(scope, room, {
    path: paths.forgot,
    name: 'forgot',
    kind: resetKind,
    request: (email, source) => room.auth.identity.passwordReset.request(email, source),
  });
};

/** Behind the member door for pages. */
export const passwordPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages } = room;
  const { path } = ownSections.password;
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    problem?: Problem,
  ): Promise<FastifyReply> => {
    const t = pages.speak(request);
    const session = sessionOf(request);
    const { hashedPassword, email } = await auth.userOf(session);
    const { done } = request.query as { done?: string }; // PageQuery
    const title = t('page.password.title');
    if (hashedPassword === null) {
      const none = html`<p>${t('page.password.none')}</p>
        <p>
          <a class="button" href="${addressOf(paths.forgot, { email })}">${t('page.password.by_mail')}</a>
        </p>`;
      return pages.send(request, reply, { title, body: accountBody(t, none) });
    }
    await auth.stepUp.requireRecentSecond(session);
    const body = html`!${notice('done', done === 'changed' ? t('page.password.done') : undefined)}
      <p>${t('page.password.what')}</p>
      !${refusalOf(t, problem, ['new_password'])}
      <form method="post" action="${path}">
        !${formToken(room, session.id)}
        <input type="text" name="username" value="${email}" autocomplete="username" hidden readonly />
        !${field({
          name: 'password',
          label: t('page.field.current_password'),
          type: 'password',
          autocomplete: 'current-password',
        })}
        !${newPasswordField(room, t, { name: 'new_password', problem })}
        <button>${t('page.password.act')}</button>
      </form>`;
    return pages.send(request, reply, { title, body: accountBody(t, body) });
  };
  scope.get(
    path,
    { schema: { summary: 'Page: your password', querystring: PageQuery } },
    async (request, reply) => show(request, reply),
  );
  scope.post(
    path,
    {
      ...admission(room),
      config: costing(2 * hashCost),
      schema: { summary: 'Page: sets another password', body: PasswordForm },
    },
    async (request, reply) => {
      const { password, new_password: next, form_token: token } = request.body;
      const session = sessionOf(request);
      requireForm(room, session.id, token);
      return rerenderOnProblem(
        reply,
        async () => {
          await auth.changePassword(session, { current: password, next }, sourceOf(request, room));
          return seeOther(reply, addressOf(path, { done: 'changed' }));
        },
        (problem) => show(request, reply, problem),
      );
    },
  );
};

/** Sets the new password, then leads to the sign-in page. */
export function resetPage(room: PageRoom): TokenPage {
  return {
    kind: resetKind,
    ...admission(room),
    async redeem(fields, request) {
      const address = addressOfAccount(fields);
      const { token, new_password: password = '' } = fields;
      await room.auth.identity.passwordReset.redeem(token, password, address, sourceOf(request, room));
      return addressOf(paths.signIn, {
        done: 'password',
        email: address.text,
        return_to: returnTo(room, request),
      });
    },
  };
}
