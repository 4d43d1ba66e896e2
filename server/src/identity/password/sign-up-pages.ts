// The registration page, and the check of a new password that its script calls.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import Type from 'typebox';
import { isProblem } from '../../kit/problem.ts';
import { addressOf } from '../../http/markup.ts';
import { costing, hashCost, hashing, mailCost } from '../../http/limit/limits.ts';
import { requireEmailAddress, toEmailAddress } from '../../user/email-address.ts';
import { emailField, faultOf, newPasswordField, signedInNotice } from '../../page/form.ts';
import { form, formPage, type PageRoutes } from '../../page/form-page.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { renderWays, type SignInWay } from '../../page/sign-in-way.ts';
import type { Accounts } from '../account/account.ts';
import { registerQuietly, type RegistrationPolicy } from '../account/registration.ts';
import { verificationKind } from '../account/verification.ts';
import type { BrowserCookies } from '../browser-cookies.ts';
import { afterLogin, sendPageLogin } from '../sign-in/guard.ts';
import { requestMail } from '../token/page-parts.ts';
import type { PasswordLogin } from './login.ts';

const Hint = Type.Object({ fault: Type.Optional(Type.String()) });

/** The registration page, at the access level `optional`, and its form at `open`. */
export function signUpPages({
  pages,
  cookies,
  accounts,
  passwordLogin,
  policy,
  ways,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly accounts: Accounts;
  readonly passwordLogin: PasswordLogin;
  readonly policy: RegistrationPolicy;
  readonly ways: readonly SignInWay[];
}): PageRoutes {
  return formPage(pages, {
    path: paths.signUp,
    summary: 'Page: create an account',
    title: 'page.sign_up.title',
    shows: ['email', 'password'],
    load: () => ({}),
    body: (visit) => {
      const { t, request, inputs, next } = visit;
      if (!pages.isSignUpOpen)
        return html`<p>${t('page.problem.sign_up_closed')}</p>
          <p>
            <a class="button" href="${addressOf(paths.signIn, { return_to: next })}"
              >${t('page.sign_in.title')}</a
            >
          </p>`;
      return html`!${signedInNotice(visit)}
        <form method="post" action="${paths.signUp}">
          !${inputs} !${emailField(visit)} !${newPasswordField(pages, visit, 'password')}
          <button>${t('page.sign_up.act')}</button>
        </form>
        !${renderWays(t, ways, request, { next })}
        <p class="center">
          ${t('page.sign_up.have')}
          <a href="${addressOf(paths.signIn, { return_to: next })}">${t('page.sign_up.sign_in')}</a>
        </p>`;
    },
    forms: [
      form({
        summary: 'Page: creates an account',
        config: hashing(mailCost),
        fields: Type.Object({ email: formField, password: formField }),
        keeps: ['email'],
        submit: async ({ email, password }, visit) => {
          const { request, reply, next } = visit;
          if (policy.emailConfirmation)
            return requestMail({ pages, cookies }, visit, {
              kind: verificationKind,
              email,
              mail: (address, source) =>
                registerQuietly(policy, () => accounts.signUp(address, { password }, source)),
            });
          const address = requireEmailAddress(email);
          await registerQuietly(policy, () => accounts.signUp(address, { password }, request.source));
          const login = await passwordLogin.logIn(address, password, request.source);
          if (login === undefined) return addressOf(paths.signIn, { email: address.text, return_to: next });
          sendPageLogin(reply, cookies, login, 'password');
          return afterLogin(login, next);
        },
      }),
    ],
  });
}

/** For the script: checks a password while the user types it. */
export function passwordCheckPages({
  pages,
  accounts,
}: {
  readonly pages: PageKit;
  readonly accounts: Accounts;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      `${paths.signUp}/password`,
      {
        config: costing(hashCost),
        schema: {
          summary: 'Page: checks a new password',
          body: Type.Object({ email: formField, password: formField }),
          response: { 200: Hint },
        },
      },
      async (request) => {
        const { email, password } = request.body;
        try {
          // While it is typed, the address may be incomplete; registration rejects it then.
          await accounts.requireGoodPassword(password, toEmailAddress(email)?.text ?? '');
          return {};
        } catch (error) {
          const problem = isProblem(error, 'invalid_request') ? error : undefined;
          const fault = faultOf(pages.translate(request), problem, 'password');
          if (fault === undefined) throw error;
          return { fault };
        }
      },
    );
  };
}
