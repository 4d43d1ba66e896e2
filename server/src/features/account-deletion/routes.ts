// Closes the account of the signed-in user, and reopens it.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { formatInstant as instant } from '../../kit/clock.ts';
import { EmailMessage, token } from '../../http/fields.ts';
import type { BrowserCookies } from '../../identity/browser-cookies.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import { costing, hashCost, mailCost } from '../../http/limit/limits.ts';
import type { AccountDeletion } from './deletion.ts';

const Closed = Type.Object({
  email: Type.String(),
  message: Type.String(),
  delete_at: Type.String({ format: 'date-time' }),
});

/** The route that closes the account. */
export function deletionRoutes({
  cookies,
  deletion,
}: {
  readonly cookies: BrowserCookies;
  readonly deletion: AccountDeletion;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.delete(
      '/profile',
      {
        config: costing(mailCost),
        schema: {
          summary: 'Closes the account; it is removed two weeks later; requires recent authentication',
          response: { 200: Closed },
        },
      },
      async (request, reply) => {
        const closed = await deletion.request(sessionOf(request), request.source);
        cookies.clearSession(reply);
        return { email: closed.email, message: 'account closed', delete_at: instant(closed.deleteAt) };
      },
    );
  };
}

/** The route that reopens the account: open, because a closed account has no session. */
export function deletionUndoRoutes({
  deletion,
}: {
  readonly deletion: AccountDeletion;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.put(
      '/profile/undo',
      {
        config: costing(hashCost),
        schema: {
          summary: 'Reopens an account that its owner has closed',
          body: Type.Object({ token }),
          response: { 200: EmailMessage },
        },
      },
      async (request) => {
        const user = await deletion.undo(request.body.token, request.source);
        return { email: user.email, message: 'account reopened' };
      },
    );
  };
}
