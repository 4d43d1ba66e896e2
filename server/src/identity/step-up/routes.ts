// The route of step-up.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { EmailMessage, proof } from '../../http/fields.ts';
import { factorName } from '../factor/given-factor.ts';
import { costing, hashCost } from '../../http/limit/limits.ts';
import type { BrowserCookies } from '../browser-cookies.ts';
import { sessionOf } from '../session/guard.ts';
import type { StepUp } from './step-up.ts';

const GivenFactor = Type.Object({ factor: factorName, proof });

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
