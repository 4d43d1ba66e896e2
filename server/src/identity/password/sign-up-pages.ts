// The registration page, and the check of a new password that its script calls.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { verificationKind } from '../account/verification.ts';
import { isProblem, type Problem } from '../../kit/problem.ts';
import { field, hidden, addressOf } from '../../http/markup.ts';
import { requireEmailAddress, toEmailAddress } from '../../user/email-address.ts';
import { hashCost, mailCost } from '../../http/fields.ts';
import { seeOther, rerenderOnProblem, formField, PageQuery, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { newPasswordField, faultOf, refusalOf } from '../../page/form.ts';
import { pageSourceOf, type BrowserCookies } from '../guard.ts';
import { sendLogin, afterLogin } from '../sign-in/guard.ts';
import { costing, hashing } from '../../http/limits.ts';
import { renderWays, type SignInWay } from '../../page/sign-in-way.ts';
import { codeForm } from '../token/pages.ts';
import type { Accounts } from '../account/account.ts';
import type { PasswordLogin } from './login.ts';
import { registerQuietly, type RegistrationPolicy } from '../account/registration.ts';

const SignUpForm = Type.Object({
  email: formField,
  password: formField,
  return_to: Type.Optional(formField),
});
const Hint = Type.Object({ fault: Type.Optional(Type.String()) });

/** The registration page, at the access level `open`. */
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
}): FastifyPluginAsyncTypebox {
  const show = (
    request: FastifyRequest,
    reply: FastifyReply,
    email = '',
    problem?: Problem,
  ): FastifyReply => {
    const t = pages.translate(request);
    const next = pages.returnTo(request);
    const body = html`!${refusalOf(t, problem, ['email', 'password'])}
      <form method="post" action="${paths.signUp}">
        !${hidden('return_to', next)}
        !${field({
          name: 'email',
          label: t('page.field.email'),
          type: 'email',
          value: email,
          autocomplete: 'username',
          fault: faultOf(t, problem, 'email'),
        })}
        !${newPasswordField(pages, t, { name: 'password', problem })}
        <button>${t('page.sign_up.act')}</button>
      </form>
      !${renderWays(ways, 'below', request, next)}
      <p class="links">
        <a href="${addressOf(paths.signIn, { return_to: next })}">${t('page.sign_up.sign_in')}</a>
      </p>`;
    return pages.send(request, reply, { title: t('page.sign_up.title'), body });
  };

  return async (scope) => {
    scope.get(
      paths.signUp,
      { schema: { summary: 'Page: make an account', querystring: PageQuery } },
      async (request, reply) => show(request, reply, request.query.email),
    );

    scope.post(
      paths.signUp,
      {
        config: hashing(mailCost),
        schema: { summary: 'Page: makes an account', body: SignUpForm },
      },
      async (request, reply) => {
        const { email, password } = request.body;
        return rerenderOnProblem(
          reply,
          async () => {
            const address = requireEmailAddress(email);
            const source = pageSourceOf(pages, request);
            await registerQuietly(policy, () => accounts.signUp(address, { password }, source));
            if (policy.emailConfirmation) {
              cookies.setRequest(reply, source);
              return codeForm(pages, request, reply, { kind: verificationKind, email: address.text });
            }
            const login = await passwordLogin.logIn(address, password, source);
            if (login === undefined) return seeOther(reply, addressOf(paths.signIn, { email: address.text }));
            sendLogin(reply, cookies, login);
            return seeOther(reply, afterLogin(login, source.returnTo));
          },
          (problem) => show(request, reply, email, problem),
        );
      },
    );

    // For the script: checks a password while the user types it.
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
