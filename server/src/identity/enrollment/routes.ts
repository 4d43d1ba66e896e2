// The route that undoes the enrollment of an account's first second factor.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { EmailMessage, token } from '../../http/fields.ts';
import { costing, hashCost } from '../../http/limit/limits.ts';
import type { Enrollment } from './enrollment.ts';

/** Undoes the first second factor of an account. Access level `open`, because that factor may lock its owner out. */
export function factorUndoRoutes({
  enrollment,
}: {
  readonly enrollment: Enrollment;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.put(
      '/profile/factors/undo',
      {
        config: costing(hashCost),
        schema: {
          summary: 'Removes the first second factor of an account and everything added since',
          body: Type.Object({ token }),
          response: { 200: EmailMessage },
        },
      },
      async (request) => {
        const user = await enrollment.undo(request.body.token, request.source);
        return { email: user.email, message: 'factors removed' };
      },
    );
  };
}
