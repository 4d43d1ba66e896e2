// Requests and redeems a sign-in by email.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { email, EmailMessage, LoginReply, mailCost, token } from '../../http/fields.ts';
import {
  initiatingSourceOf,
  loginBody,
  rememberBrowser,
  sendLogin,
  sourceOf,
  type AuthRoom,
} from '../../identity/sign-in/guard.ts';

/** Signing in by mail. */
export const emailSignInRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  scope.post(
    '/sessions/email',
    {
      config: costing(mailCost),
      schema: {
        summary: 'Asks for a link and a code that sign in',
        body: Type.Object({ email }),
        response: { 200: EmailMessage },
      },
    },
    async (request, reply) => {
      const address = requireEmailAddress(request.body.email);
      const source = initiatingSourceOf(request, room);
      await room.auth.emailSignIn.request(address, source);
      rememberBrowser(reply, room, source);
      return { email: address.text, message: 'sign-in link sent' };
    },
  );

  scope.put(
    '/sessions/email',
    {
      schema: {
        summary: 'Logs in with what was mailed',
        body: Type.Object({ email, token }),
        response: { 200: LoginReply },
      },
    },
    async (request, reply) => {
      const address = requireEmailAddress(request.body.email);
      const login = await room.auth.emailSignIn.redeem(address, request.body.token, sourceOf(request, room));
      if (login === undefined) throw new Problem('token_invalid');
      sendLogin(reply, room, login);
      return loginBody(address.text, login);
    },
  );
};
