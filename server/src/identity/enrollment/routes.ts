// Undoes the enrollment of an account's first second factor.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { EmailMessage, token } from '../../http/fields.ts';
import { sourceOf, type AuthRoom } from '../sign-in/guard.ts';

/** Undoing the first second factor of an account: open, since it keeps its owner out. */
export const factorUndoRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  scope.put(
    '/profile/factors/undo',
    {
      schema: {
        summary: 'Takes the first second factor of an account away again, with what was set up since',
        body: Type.Object({ token }),
        response: { 200: EmailMessage },
      },
    },
    async (request) => {
      const user = await room.auth.enrollment.undo(request.body.token, sourceOf(request, room));
      return { email: user.email, message: 'factors removed' };
    },
  );
};
