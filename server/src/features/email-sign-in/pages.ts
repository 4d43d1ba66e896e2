// Requests a sign-in link and code from the sign-in page.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { costing } from '../../http/limits.ts';
import { mailCost } from '../../http/fields.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { pageSourceOf, paths, rerenderOnProblem } from '../../page/page-guard.ts';
import { rememberBrowser } from '../../identity/sign-in/guard.ts';
import { sendSignInForm, SignInForm, type SignInPageRoom } from '../../identity/sign-in/pages.ts';
import { codeForm } from '../../identity/token/pages.ts';

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
          const { text } = requireEmailAddress(request.body.email);
          const source = pageSourceOf(room, request);
          await room.auth.requestSignIn(text, source);
          rememberBrowser(reply, room, source);
          return codeForm(room, request, reply, { kind: 'sign_in', email: text });
        },
        (problem) => sendSignInForm(room, request, reply, { email: request.body.email, problem }),
      ),
  );
};
