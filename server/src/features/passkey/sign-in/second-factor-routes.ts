// Returns the options to use a passkey as second factor, and for a step-up.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { sessionOf } from '../../../identity/session/guard.ts';
import { pendingAuthenticationOf } from '../../../identity/sign-in/guard.ts';
import { PublicKey } from '../fields.ts';
import type { Passkeys } from '../passkey.ts';

/** Route of a pending authentication. */
export function passkeyPendingRoutes({
  passkeys,
}: {
  readonly passkeys: Passkeys;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/sessions/factor/passkey',
      {
        schema: {
          summary: 'Returns the options to use a passkey as second factor',
          response: { 200: PublicKey },
        },
      },
      async (request) => {
        const { id, userId } = pendingAuthenticationOf(request);
        return {
          public_key: await passkeys.requestOptions(userId, { purpose: 'second_factor', subjectId: id }),
        };
      },
    );
  };
}

/** Route of a session. */
export function passkeyStepUpRoutes({
  passkeys,
}: {
  readonly passkeys: Passkeys;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.post(
      '/sessions/step_up/passkey',
      {
        schema: {
          summary: 'Returns the options for a step-up with a passkey',
          response: { 200: PublicKey },
        },
      },
      async (request) => {
        const { id, userId } = sessionOf(request);
        return { public_key: await passkeys.requestOptions(userId, { purpose: 'step_up', subjectId: id }) };
      },
    );
  };
}
