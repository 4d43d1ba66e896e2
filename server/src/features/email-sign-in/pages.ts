// Requests a sign-in link and code from the sign-in page.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { costing } from '../../http/limits.ts';
import { mailCost } from '../../http/fields.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { Problem } from '../../kit/problem.ts';
import {
  afterLogin,
  pageSourceOf,
  paths,
  rerenderOnProblem,
  returnTo,
  type PageRoom,
} from '../../page/page-guard.ts';
import { rememberBrowser, sendLogin, sourceOf } from '../../identity/sign-in/guard.ts';
import { sendSignInForm, SignInForm, type SignInPageRoom } from '../../identity/sign-in/pages.ts';
import { addressOfAccount, codeForm, type TokenPage } from '../../identity/token/pages.ts';
import { emailSignInKind } from './email-sign-in.ts';

/** The second button of the sign-in form. */
export const emailSignInPages: FastifyPluginAsyncTypebox<SignInPageRoom> = async (scope, room) => {
  scope.post(
    `${paths.signIn}/email`,
    {
      config: costing(mailCost),
      schema: { summary: 'Page: sends a link and a code that sign in', body: SignInForm },
    },
    async (request, reply) =>
      rerenderOnProblem(
        reply,
        async () => {
          const address = requireEmailAddress(request.body.email);
          const source = pageSourceOf(room, request);
          await room.auth.emailSignIn.request(address, source);
          rememberBrowser(reply, room, source);
          return codeForm(room, request, reply, { kind: emailSignInKind, email: address.text });
        },
        (problem) => sendSignInForm(room, request, reply, { email: request.body.email, problem }),
      ),
  );
};

/** Signs the user in, then leads to what the login requires or to where they wanted to go. */
export function emailSignInPage(room: PageRoom): TokenPage {
  return {
    kind: emailSignInKind,
    async redeem(fields, request, reply) {
      const address = addressOfAccount(fields);
      const login = await room.auth.emailSignIn.redeem(address, fields.token, sourceOf(request, room));
      if (login === undefined) throw new Problem('token_invalid');
      sendLogin(reply, room, login);
      return afterLogin(login, returnTo(room, request));
    },
  };
}
