// Signs in and registers with a passkey on pages: the buttons of the sign-in and sign-up pages, and the forms behind them.
// The browser script (assets/page.js) asks for the passkey and puts the answer into the form.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { requireEmailAddress } from '../../../user/email-address.ts';
import { costing, hashCost, mailCost } from '../../../http/limit/limits.ts';
import { addressOf, hidden } from '../../../http/markup.ts';
import { form, pageForms, type Visit } from '../../../page/form-page.ts';
import { scriptNotice } from '../../../page/form.ts';
import { icon } from '../../../page/icon.ts';
import { credentialField, formField, requireGiven, type PageKit } from '../../../page/page.ts';
import { paths } from '../../../page/paths.ts';
import type { SignInWay, WayMark } from '../../../page/sign-in-way.ts';
import { registerQuietly, type RegistrationPolicy } from '../../../identity/account/registration.ts';
import { verificationKind } from '../../../identity/account/verification.ts';
import type { BrowserCookies } from '../../../identity/browser-cookies.ts';
import { afterLogin, sendPageLogin, signInSourceOf, stayField } from '../../../identity/sign-in/guard.ts';
import { requestMail } from '../../../identity/token/page-parts.ts';
import type { PasskeySignIn } from './passkey-sign-in.ts';

/** The button that signs in with a passkey. */
export function passkeySignInWay(pages: PageKit): SignInWay {
  return {
    name: 'passkey',
    render: (request, next, mark) =>
      passkeyForm(pages, request, {
        action: `${paths.signIn}/passkey`,
        mark,
        // The script copies the checkbox of the page.
        more: hidden('stay', 'true'),
        next,
        key: 'page.passkeys.sign_in',
        script: 'data-webauthn="get" data-options="/sessions/passkey" data-autofill',
      }),
  };
}

/** The button that registers with a passkey instead of a password. */
export function passkeySignUpWay(pages: PageKit): SignInWay {
  return {
    name: 'passkey',
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

/** Returns a function that returns to a page after a refusal. */
function backTo(path: string): (fields: unknown, visit: Visit) => string {
  return (_fields, { next }) => addressOf(path, { return_to: next });
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
  return pageForms(pages, {
    forms: [
      form({
        path: `${paths.signIn}/passkey`,
        summary: 'Page: signs in with a passkey',
        config: costing(hashCost),
        fields: Type.Object({ credential: credentialField, stay: stayField }),
        keeps: ['stay'],
        back: backTo(paths.signIn),
        submit: async ({ credential, stay }, { request, reply, next }) => {
          requireGiven('credential', credential);
          const { login } = await passkeySignIn.signIn(credential, signInSourceOf(request, stay));
          sendPageLogin(reply, cookies, login, 'passkey');
          return afterLogin(login, next);
        },
      }),
      form({
        path: `${paths.signUp}/passkey`,
        summary: 'Page: registers with a passkey',
        config: costing(mailCost),
        fields: Type.Object({ email: formField, credential: credentialField }),
        keeps: ['email'],
        back: backTo(paths.signUp),
        submit: async ({ email, credential }, visit) => {
          const { request, reply, next } = visit;
          requireGiven('credential', credential);
          if (policy.emailConfirmation)
            return requestMail({ pages, cookies }, visit, {
              kind: verificationKind,
              email,
              mail: (address, source) =>
                registerQuietly(policy, () => passkeySignIn.register({ address, credential }, source)),
            });
          const address = requireEmailAddress(email);
          const user = await registerQuietly(policy, () =>
            passkeySignIn.register({ address, credential }, request.source),
          );
          const login = user && (await passkeySignIn.enterRegistered(user, request.source));
          if (login === undefined) return addressOf(paths.signIn, { email: address.text, return_to: next });
          sendPageLogin(reply, cookies, login, 'passkey');
          return afterLogin(login, next);
        },
      }),
    ],
  });
}

interface PasskeyForm {
  readonly action: string;
  readonly next: string | undefined;
  readonly key: string;
  /** Attributes for the script. */
  readonly script: string;
  readonly more?: string;
  readonly mark?: WayMark;
}

/** A button that only a script can make work: hidden without one. */
function passkeyForm(
  pages: PageKit,
  request: FastifyRequest,
  { action, next, key, script, more = '', mark }: PasskeyForm,
): string {
  const t = pages.translate(request);
  return html`<form
    class="way"
    method="post"
    action="${action}"
    !${script}
    data-progress="${t('page.passkeys.prompt')}"
    hidden
  >
    !${hidden('credential', '')} !${hidden('return_to', next)} !${more} !${scriptNotice(t)}
    <button class="second" !${mark?.attribute ?? ''}>!${icon('key')} ${t(key)} !${mark?.badge ?? ''}</button>
  </form>`;
}
