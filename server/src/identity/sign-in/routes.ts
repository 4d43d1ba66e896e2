// The route of the second factor of a login.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { EmailMessage, proof } from '../../http/fields.ts';
import { factorName } from '../factor/given-factor.ts';
import type { BrowserCookies } from '../browser-cookies.ts';
import { pendingAuthenticationOf, sendLogin, loginBody } from './guard.ts';
import { costing, hashCost } from '../../http/limit/limits.ts';
import type { SignIn } from './sign-in.ts';

const CompletingFactor = Type.Object({
  factor: factorName,
  proof,
  remember_device: Type.Optional(
    Type.Union([Type.Boolean(), Type.Literal('true')], {
      description: 'Remembers this device: skips the second factor for some days, if the service allows it',
    }),
  ),
});

/** Completes a login with a second factor, at the access level `pending`. */
export function secondFactorRoutes({
  cookies,
  signIn,
}: {
  readonly cookies: BrowserCookies;
  readonly signIn: SignIn;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/sessions/factor',
      {
        config: costing(hashCost),
        schema: {
          summary: 'Completes a login with the second factor',
          body: CompletingFactor,
          response: { 200: EmailMessage },
        },
      },
      async (request, reply) => {
        const { factor, proof: given, remember_device: remember = false } = request.body;
        const { user, login } = await signIn.complete(
          pendingAuthenticationOf(request),
          { factor, proof: given, remembersDevice: remember !== false },
          request.source,
        );
        sendLogin(reply, cookies, login);
        cookies.clearPending(reply);
        return loginBody(user.email, login);
      },
    );
  };
}
