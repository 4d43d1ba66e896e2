// Closes the account of the signed-in user, and reopens it.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { formatInstant as instant } from '../../kit/clock.ts';
import { costing } from '../../http/limits.ts';
import { EmailMessage, mailCost, token } from '../../http/fields.ts';
import { sessionOf, sourceOf, type AuthRoom } from '../../identity/sign-in/guard.ts';

const Closed = Type.Object({
  email: Type.String(),
  message: Type.String(),
  delete_at: Type.String({ format: 'date-time' }),
});

/** Behind the member door. */
export const deletionRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  const { auth, cookie } = room;
  scope.delete(
    '/profile',
    {
      config: costing(mailCost),
      schema: {
        summary: 'Closes your account at once; it is removed two weeks later; needs a recent factor',
        response: { 200: Closed },
      },
    },
    async (request, reply) => {
      const closed = await auth.deletions.request(sessionOf(request), sourceOf(request, room));
      void reply.header('set-cookie', cookie.clear());
      return { email: closed.email, message: 'account closed', delete_at: instant(closed.deleteAt) };
    },
  );
};

/** Taking back that an account is removed: open, since its owner has no session any more. */
export const deletionUndoRoutes: FastifyPluginAsyncTypebox<AuthRoom> = async (scope, room) => {
  scope.put(
    '/profile/undo',
    {
      schema: {
        summary: 'Opens an account again that its owner has closed',
        body: Type.Object({ token }),
        response: { 200: EmailMessage },
      },
    },
    async (request) => {
      const user = await room.auth.deletions.undo(request.body.token, sourceOf(request, room));
      return { email: user.email, message: 'account open again' };
    },
  );
};
