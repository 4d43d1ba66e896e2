// Pages that change the password of the signed-in user and reset a forgotten one.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import Type from 'typebox';
import { addressOf } from '../../http/markup.ts';
import { hashCost, hashing } from '../../http/limit/limits.ts';
import type { AccountSection } from '../../page/account-section.ts';
import { currentPasswordField, newPasswordField, tickedBox } from '../../page/form.ts';
import { form, formPage, type PageRoutes } from '../../page/form-page.ts';
import { formField, seeOther, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { sessionOf } from '../session/guard.ts';
import type { Sessions } from '../session/session.ts';
import type { StepUp } from '../step-up/step-up.ts';
import { addressOfAccount, type TokenPage, type TokenPageParts } from '../token/page-parts.ts';
import { requestPage } from '../token/request-page.ts';
import type { PasswordChange } from './change.ts';
import { resetKind, type PasswordReset } from './reset.ts';

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
}: TokenPageParts & { readonly passwordReset: PasswordReset }): PageRoutes {
  return requestPage(parts, {
    path: paths.forgot,
    name: 'forgot',
    kind: resetKind,
    request: (email, source) => passwordReset.request(email, source),
  });
}

export const passwordSection = {
  path: paths.password,
  name: 'password',
  icon: 'lock',
  group: 'sign_in',
} as const satisfies AccountSection;

/** The page that changes the password, at the access level `session`. */
export function passwordPages({
  pages,
  cookies,
  sessions,
  stepUp,
  passwordChange,
}: {
  readonly pages: PageKit;
  readonly cookies: TokenPageParts['cookies'];
  readonly sessions: Sessions;
  readonly stepUp: StepUp;
  readonly passwordChange: PasswordChange;
}): PageRoutes['routes'] {
  const { path } = passwordSection;
  return formPage<{ hasPassword: boolean; email: string }>(pages, {
    path,
    summary: 'Page: your password',
    title: 'page.password.title',
    layout: 'account',
    subject: (request) => sessionOf(request).id,
    done: { changed: 'page.password.done', changed_only: 'page.password.done_only' },
    shows: ['new_password'],
    load: async ({ request }) => {
      const session = sessionOf(request);
      const { hashedPassword, email } = await sessions.userOf(session);
      if (hashedPassword !== null) await stepUp.requireRecentSecond(session);
      return { hasPassword: hashedPassword !== null, email };
    },
    body: (visit, { hasPassword, email }) => {
      const { t, inputs } = visit;
      if (!hasPassword)
        return html`<p>${t('page.password.none')}</p>
          <p>
            <a class="button" href="${addressOf(paths.forgot, { email })}">${t('page.password.by_mail')}</a>
          </p>`;
      return html`<p>${t('page.password.what')}</p>
        <form method="post" action="${path}">
          !${inputs}
          <input type="text" name="username" value="${email}" autocomplete="username" hidden readonly />
          !${currentPasswordField(t, { name: 'password', label: t('page.field.current_password'), email })}
          !${newPasswordField(pages, visit, 'new_password')}
          !${tickedBox(visit, 'others', t('page.password.end_others'))}
          <button>${t('page.password.act')}</button>
        </form>`;
    },
    forms: [
      form({
        summary: 'Page: sets another password',
        config: hashing(2 * hashCost),
        fields: Type.Object({
          password: formField,
          new_password: formField,
          others: Type.Optional(formField),
        }),
        keeps: ['others'],
        submit: async ({ password, new_password: next, others }, { request, reply }) => {
          const passwords = { current: password, next, keepsOthers: others !== 'true' };
          const { renewed } = await passwordChange.change(sessionOf(request), passwords, request.source);
          cookies.renewSession(request, reply, renewed);
          return addressOf(path, { done: passwords.keepsOthers ? 'changed_only' : 'changed' });
        },
      }),
    ],
  }).routes;
}

/** The pages that set a new password with a mailed token and continue with the sign-in page. */
export function resetPage(pages: PageKit, passwordReset: PasswordReset): TokenPage {
  return {
    kind: resetKind,
    request: (email, source) => passwordReset.request(email, source),
    async redeem(fields, { request }) {
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
