// Signs in and registers with a passkey on pages: the buttons of the sign-in and sign-up pages, and the forms behind them.
// The browser script (assets/page.js) asks for the passkey and puts the answer into the form.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import type { Problem } from '../../../kit/problem.ts';
import { requireEmailAddress } from '../../../user/email-address.ts';
import { hashCost, mailCost } from '../../../http/fields.ts';
import { costing } from '../../../http/limits.ts';
import { addressOf, hidden } from '../../../http/markup.ts';
import { seeOther, rerenderOnProblem, credentialField, formField, type PageKit } from '../../../page/page.ts';
import { paths } from '../../../page/paths.ts';
import { refusalOf } from '../../../page/form.ts';
import { pageSourceOf, type BrowserCookies } from '../../../identity/guard.ts';
import { registerQuietly, type RegistrationPolicy } from '../../../identity/account/registration.ts';
import { verificationKind } from '../../../identity/account/verification.ts';
import { sendLogin, afterLogin } from '../../../identity/sign-in/guard.ts';
import type { SignInWay } from '../../../page/sign-in-way.ts';
import { codeForm } from '../../../identity/token/pages.ts';
import type { PasskeySignIn } from './passkey-sign-in.ts';

const SignInForm = Type.Object({ credential: credentialField, return_to: Type.Optional(formField) });
const RegisterForm = Type.Object({
  email: formField,
  credential: credentialField,
  return_to: Type.Optional(formField),
});

/** The button that signs in with a passkey. */
export function passkeySignInWay(pages: PageKit): SignInWay {
  return {
    place: 'below',
    render: (request, next) =>
      passkeyForm(pages, request, {
        action: `${paths.signIn}/passkey`,
        next,
        key: 'page.passkeys.sign_in',
        script: 'data-webauthn="get" data-options="/sessions/passkey" data-autofill',
      }),
  };
}

/** The button that registers with a passkey instead of a password. */
export function passkeySignUpWay(pages: PageKit): SignInWay {
  return {
    place: 'below',
    render: (request, next) =>
      passkeyForm(pages, request, {
        action: `${paths.signUp}/passkey`,
        next,
        key: 'page.passkeys.sign_up',
        script: 'data-webauthn="create" data-options="/users/passkey" data-email="email"',
        more: hidden('email', ''),
      }),
  };
}

/** Forms that sign in, and register an account. */
export function passkeyOpenPages({
  pages,
  cookies,
  policy,
  passkeySignIn,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly policy: RegistrationPolicy;
  readonly passkeySignIn: PasskeySignIn;
}): FastifyPluginAsyncTypebox {
  const renderRejection = (
    request: FastifyRequest,
    reply: FastifyReply,
    { problem, back, titleKey }: { problem: Problem; back: string; titleKey: string },
  ): FastifyReply => {
    const t = pages.translate(request);
    const address = addressOf(back, { return_to: pages.returnTo(request) });
    const body = html`!${refusalOf(t, problem, [])}
      <p class="links"><a href="${address}">${t('page.problem.again')}</a></p>`;
    return pages.send(request, reply, { title: t(titleKey), body });
  };

  return async (scope) => {
    scope.post(
      `${paths.signIn}/passkey`,
      { config: costing(hashCost), schema: { summary: 'Page: signs in with a passkey', body: SignInForm } },
      async (request, reply) =>
        rerenderOnProblem(
          reply,
          async () => {
            const { login } = await passkeySignIn.signIn(request.body.credential, request.source);
            sendLogin(reply, cookies, login);
            return seeOther(reply, afterLogin(login, pages.returnTo(request)));
          },
          (problem) =>
            renderRejection(request, reply, { problem, back: paths.signIn, titleKey: 'page.sign_in.title' }),
        ),
    );

    scope.post(
      `${paths.signUp}/passkey`,
      {
        config: costing(mailCost),
        schema: { summary: 'Page: registers with a passkey', body: RegisterForm },
      },
      async (request, reply) =>
        rerenderOnProblem(
          reply,
          async () => {
            const address = requireEmailAddress(request.body.email);
            const { text: email } = address;
            const source = pageSourceOf(pages, request);
            const account = { address, credential: request.body.credential };
            await registerQuietly(policy, () => passkeySignIn.register(account, source));
            if (!policy.emailConfirmation)
              return seeOther(reply, addressOf(paths.signIn, { email, return_to: source.returnTo }));
            cookies.setRequest(reply, source);
            return codeForm(pages, request, reply, { kind: verificationKind, email });
          },
          (problem) =>
            renderRejection(request, reply, { problem, back: paths.signUp, titleKey: 'page.sign_up.title' }),
        ),
    );
  };
}

interface PasskeyForm {
  readonly action: string;
  readonly next: string | undefined;
  readonly key: string;
  /** Attributes for the script. */
  readonly script: string;
  readonly more?: string;
}

/** A button that only a script can make work: hidden without one. */
function passkeyForm(
  pages: PageKit,
  request: FastifyRequest,
  { action, next, key, script, more = '' }: PasskeyForm,
): string {
  const t = pages.translate(request);
  return html`<form method="post" action="${action}" !${script} hidden>
    <p class="or"><span>${t('page.sign_in.or')}</span></p>
    !${hidden('credential', '')} !${hidden('return_to', next)} !${more}
    <p class="notice fault" role="alert" data-failed hidden>${t('page.factor.script_failed')}</p>
    <button class="second">${t(key)}</button>
  </form>`;
}
