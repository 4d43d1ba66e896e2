// Requests and redeems a sign-in by email.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { email, EmailMessage, LoginReply, token } from '../../http/fields.ts';
import { initiatingSourceOf, type BrowserCookies } from '../../identity/browser-cookies.ts';
import { sendLogin, loginBody } from '../../identity/sign-in/guard.ts';
import { costing, hashCost, mailCost } from '../../http/limit/limits.ts';
import type { EmailSignIn } from './email-sign-in.ts';
import '../../identity/token/problem.ts';

/** The routes that request and redeem a mailed sign-in. */
export function emailSignInRoutes({
  cookies,
  emailSignIn,
}: {
  readonly cookies: BrowserCookies;
  readonly emailSignIn: EmailSignIn;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/sessions/email',
      {
        config: costing(mailCost),
        schema: {
          summary: 'Requests an email with a link and a code to sign in',
          body: Type.Object({ email }),
          response: { 200: EmailMessage },
        },
      },
      async (request, reply) => {
        const address = requireEmailAddress(request.body.email);
        const source = initiatingSourceOf(request);
        await emailSignIn.request(address, source);
        cookies.setRequest(reply, source);
        return { email: address.text, message: 'sign-in link sent' };
      },
    );

    scope.put(
      '/sessions/email',
      {
        config: costing(hashCost),
        schema: {
          summary: 'Logs in with the token or the code from the email',
          body: Type.Object({ email, token }),
          response: { 200: LoginReply },
        },
      },
      async (request, reply) => {
        const address = requireEmailAddress(request.body.email);
        const login = await emailSignIn.redeem(address, request.body.token, request.source);
        if (login === undefined) throw new Problem('token_invalid');
        sendLogin(reply, cookies, login);
        return loginBody(address.text, login);
      },
    );
  };
}
