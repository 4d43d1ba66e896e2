// Requests a sign-in link and code from the sign-in page.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import { Problem } from '../../kit/problem.ts';
import { mailCost } from '../../http/fields.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { SignInBody, type SignInForm } from '../../identity/sign-in/form.ts';
import { rerenderOnProblem, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { pageSourceOf, type BrowserCookies } from '../../identity/guard.ts';
import { sendLogin, afterLogin } from '../../identity/sign-in/guard.ts';
import { costing } from '../../http/limits.ts';
import type { SignInWay } from '../../page/sign-in-way.ts';
import { codeForm, type TokenPage } from '../../identity/token/pages.ts';
import { addressOfAccount } from '../../identity/token/pages.ts';
import { emailSignInKind, type EmailSignIn } from './email-sign-in.ts';

export function emailSignInPages({
  pages,
  cookies,
  emailSignIn,
  signInForm,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly emailSignIn: EmailSignIn;
  readonly signInForm: SignInForm;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      `${paths.signIn}/email`,
      {
        config: costing(mailCost),
        schema: { summary: 'Page: requests an email with a link and a code to sign in', body: SignInBody },
      },
      async (request, reply) =>
        rerenderOnProblem(
          reply,
          async () => {
            const address = requireEmailAddress(request.body.email);
            const source = pageSourceOf(pages, request);
            await emailSignIn.request(address, source);
            cookies.setRequest(reply, source);
            return codeForm(pages, request, reply, { kind: emailSignInKind, email: address.text });
          },
          (problem) => signInForm.send(request, reply, { email: request.body.email, problem }),
        ),
    );
  };
}

/** The button of the sign-in form that requests the mail. */
export function emailSignInWay(pages: PageKit): SignInWay {
  return {
    place: 'form',
    render: (request) =>
      html`<button class="second" formaction="${paths.signIn}/email" formnovalidate>
        ${pages.translate(request)('page.sign_in.by_mail')}
      </button>`,
  };
}

/** The page that signs in with the mailed link. */
export function signInLinkPage({
  pages,
  cookies,
  emailSignIn,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly emailSignIn: EmailSignIn;
}): TokenPage {
  return {
    kind: emailSignInKind,
    async redeem(fields, request, reply) {
      const address = addressOfAccount(fields);
      const login = await emailSignIn.redeem(address, fields.token, request.source);
      if (login === undefined) throw new Problem('token_invalid');
      sendLogin(reply, cookies, login);
      return afterLogin(login, pages.returnTo(request));
    },
  };
}
