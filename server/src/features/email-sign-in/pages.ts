// Requests a sign-in link and code from the sign-in page.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { addressOf } from '../../http/markup.ts';
import { toEmailAddress } from '../../user/email-address.ts';
import { costing, mailCost } from '../../http/limit/limits.ts';
import { form, pageForms } from '../../page/form-page.ts';
import { icon } from '../../page/icon.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import type { SignInWay } from '../../page/sign-in-way.ts';
import { afterLogin, sendPageLogin, stayField } from '../../identity/sign-in/guard.ts';
import {
  addressOfAccount,
  requestMail,
  type TokenPage,
  type TokenPageParts,
} from '../../identity/token/page-parts.ts';
import { emailSignInKind, type EmailSignIn } from './email-sign-in.ts';

export interface EmailSignInPageParts extends TokenPageParts {
  readonly emailSignIn: EmailSignIn;
}

/** The form behind the button of the sign-in page. It sends the fields of that page. */
export function emailSignInPages({ emailSignIn, ...parts }: EmailSignInPageParts): FastifyPluginAsyncTypebox {
  return pageForms(parts.pages, {
    forms: [
      form({
        path: `${paths.signIn}/email`,
        summary: 'Page: requests an email with a link and a code to sign in',
        config: costing(mailCost),
        fields: Type.Object({
          email: formField,
          password: Type.Optional(formField),
          stay: stayField,
          offer: Type.Optional(formField),
        }),
        keeps: ['email', 'stay'],
        back: (_fields, { next }) => addressOf(paths.signIn, { return_to: next }),
        submit: ({ email, stay }, visit) =>
          requestMail(parts, visit, {
            kind: emailSignInKind,
            email,
            endsWithBrowser: stay !== 'true',
            mail: (address, source) => emailSignIn.request(address, source),
          }),
      }),
    ],
  });
}

/** The button of the sign-in form that requests the mail. */
export function emailSignInWay(pages: PageKit): SignInWay {
  return {
    name: 'email',
    render: (request, _next, { attribute, badge }) =>
      html`<button
        class="second way"
        form="sign-in"
        formaction="${paths.signIn}/email"
        formnovalidate
        !${attribute}
      >
        !${icon('mail')} ${pages.translate(request)('page.sign_in.by_mail')} !${badge}
      </button>`,
  };
}

/** The pages that sign in with the mailed link or its code. */
export function signInLinkPage({ pages, cookies, emailSignIn }: EmailSignInPageParts): TokenPage {
  return {
    kind: emailSignInKind,
    request: (email, source) => emailSignIn.request(email, source),
    async redeem(fields, { request, reply }) {
      const address = addressOfAccount(fields);
      const asked = cookies.requested.read(request.headers.cookie, emailSignInKind);
      const isAsked = toEmailAddress(asked?.email ?? '')?.key === address.key;
      const source = { ...request.source, endsWithBrowser: isAsked && asked?.endsWithBrowser === true };
      const login = await emailSignIn.redeem(address, fields.token, source);
      if (login === undefined) throw new Problem('token_invalid');
      sendPageLogin(reply, cookies, login, 'email');
      return afterLogin(login, pages.returnTo(request));
    },
  };
}
