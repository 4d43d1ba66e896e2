// Pages that change the password of the signed-in user and reset a forgotten one.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import type { Problem } from '../../kit/problem.ts';
import { field, notice, addressOf } from '../../http/markup.ts';
import { hashCost } from '../../http/fields.ts';
import { seeOther, rerenderOnProblem, formField, PageQuery, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { newPasswordField, refusalOf } from '../../page/form.ts';
import type { AccountSection } from '../../page/account-section.ts';
import { sessionOf } from '../session/guard.ts';
import { hashing } from '../../http/limits.ts';
import { type TokenPage, addressOfAccount } from '../token/pages.ts';
import type { Sessions } from '../session/session.ts';
import type { StepUp } from '../sign-in/step-up.ts';
import { resetKind, type PasswordReset } from './reset.ts';
import type { PasswordChange } from './change.ts';
import { requestPage, type RequestPageParts } from '../token/request-page.ts';

const PasswordForm = Type.Object({
  password: formField,
  new_password: formField,
  form_token: Type.Optional(formField),
});

/** Path that password managers open to change a password (W3C, A Well-Known URL for Changing Passwords). */
export function changePasswordPages(): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/.well-known/change-password',
      { schema: { summary: 'Page: where a password is changed' } },
      async (_request, reply) => seeOther(reply, paths.password),
    );
  };
}

/** The page that requests a password reset. */
export function forgotPages({
  passwordReset,
  ...parts
}: RequestPageParts & { readonly passwordReset: PasswordReset }): FastifyPluginAsyncTypebox {
  return requestPage(parts, {
    path: paths.forgot,
    name: 'forgot',
    kind: resetKind,
    request: (email, source) => passwordReset.request(email, source),
  });
}

export const passwordSection = { path: paths.password, name: 'password' } as const satisfies AccountSection;

/** The page that changes the password, at the access level `session`. */
export function passwordPages({
  pages,
  cookies,
  sessions,
  stepUp,
  passwordChange,
}: {
  readonly pages: PageKit;
  readonly cookies: RequestPageParts['cookies'];
  readonly sessions: Sessions;
  readonly stepUp: StepUp;
  readonly passwordChange: PasswordChange;
}): FastifyPluginAsyncTypebox {
  const { path } = passwordSection;
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    problem?: Problem,
  ): Promise<FastifyReply> => {
    const t = pages.translate(request);
    const session = sessionOf(request);
    const { hashedPassword, email } = await sessions.userOf(session);
    const { done } = request.query as { done?: string }; // PageQuery
    const title = t('page.password.title');
    if (hashedPassword === null) {
      const none = html`<p>${t('page.password.none')}</p>
        <p>
          <a class="button" href="${addressOf(paths.forgot, { email })}">${t('page.password.by_mail')}</a>
        </p>`;
      return pages.sendAccount(request, reply, { title, body: none });
    }
    await stepUp.requireRecentSecond(session);
    const body = html`!${notice('done', done === 'changed' ? t('page.password.done') : undefined)}
      <p>${t('page.password.what')}</p>
      !${refusalOf(t, problem, ['new_password'])}
      <form method="post" action="${path}">
        !${pages.formToken(session.id)}
        <input type="text" name="username" value="${email}" autocomplete="username" hidden readonly />
        !${field({
          name: 'password',
          label: t('page.field.current_password'),
          type: 'password',
          autocomplete: 'current-password',
        })}
        !${newPasswordField(pages, t, { name: 'new_password', problem })}
        <button>${t('page.password.act')}</button>
      </form>`;
    return pages.sendAccount(request, reply, { title, body });
  };

  return async (scope) => {
    scope.get(
      path,
      { schema: { summary: 'Page: your password', querystring: PageQuery } },
      async (request, reply) => show(request, reply),
    );
    scope.post(
      path,
      {
        config: hashing(2 * hashCost),
        schema: { summary: 'Page: sets another password', body: PasswordForm },
      },
      async (request, reply) => {
        const { password, new_password: next, form_token: token } = request.body;
        const session = sessionOf(request);
        pages.requireForm(session.id, token);
        return rerenderOnProblem(
          reply,
          async () => {
            const passwords = { current: password, next };
            const { renewed } = await passwordChange.change(session, passwords, request.source);
            cookies.renewSession(request, reply, renewed);
            return seeOther(reply, addressOf(path, { done: 'changed' }));
          },
          (problem) => show(request, reply, problem),
        );
      },
    );
  };
}

/** The page that sets a new password with a mailed token and continues with the sign-in page. */
export function resetPage(pages: PageKit, passwordReset: PasswordReset): TokenPage {
  return {
    kind: resetKind,
    async redeem(fields, request) {
      const address = addressOfAccount(fields);
      const { token, new_password: password = '' } = fields;
      await passwordReset.redeem(token, password, address, request.source);
      return addressOf(paths.signIn, {
        done: 'password',
        email: address.text,
        return_to: pages.returnTo(request),
      });
    },
  };
}
