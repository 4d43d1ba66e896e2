// Routes of the second factor of a login, and of step-up.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { EmailMessage, hashCost, proof } from '../../http/fields.ts';
import type { BrowserCookies } from '../guard.ts';
import { sessionOf } from '../session/guard.ts';
import { pendingAuthenticationOf, sendLogin, loginBody } from './guard.ts';
import { costing } from '../../http/limits.ts';
import type { SignIn } from './sign-in.ts';
import type { StepUp } from './step-up.ts';

const factorName = Type.String({
  minLength: 1,
  maxLength: 32,
  pattern: '^[a-z_]+$',
  description: 'Name of a factor',
});
const GivenFactor = Type.Object({ factor: factorName, proof });
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

/** Step-up, at the access level `session`. */
export function stepUpRoutes({
  cookies,
  stepUp,
}: {
  readonly cookies: BrowserCookies;
  readonly stepUp: StepUp;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/sessions/step_up',
      {
        config: costing(hashCost),
        schema: {
          summary: 'Elevates the session for ten minutes with an authentication factor (step-up)',
          body: GivenFactor,
          response: { 200: EmailMessage },
        },
      },
      async (request, reply) => {
        const session = sessionOf(request);
        cookies.renewSession(request, reply, await stepUp.give(session, request.body, request.source));
        return { email: session.email, message: 'stepped up' };
      },
    );
  };
}
