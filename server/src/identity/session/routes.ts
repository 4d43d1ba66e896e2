// Routes that list and end the sessions of the signed-in user, and sign out.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { handle, Message } from '../../http/fields.ts';
import type { BrowserCookies } from '../browser-cookies.ts';
import { sessionOf } from './guard.ts';
import { describeSession } from './session-entry.ts';
import type { Sessions } from './session.ts';

/** Maximum number of listed sessions. Higher than the limit of sessions per user. */
const maxListed = 1000;

const Instant = Type.String({ format: 'date-time' });
/** A session as its user sees it. */
export const SessionEntry = Type.Object({
  id: Type.String({ description: 'Public id of the session, not secret' }),
  device: Type.Optional(Type.String({ description: 'Browser and operating system, if known' })),
  address: Type.Optional(Type.String({ description: 'Network address of the sign-in, if known' })),
  created_at: Instant,
  last_seen_at: Instant,
  expires_at: Instant,
  amr: Type.Array(Type.String(), { description: 'Authentication methods (RFC 8176)' }),
  factors: Type.Array(Type.Object({ factor: Type.String(), auth_time: Instant })),
  current: Type.Boolean(),
});
const SessionList = Type.Object({ sessions: Type.Array(SessionEntry) });

/** The routes, at the access level `session`. */
export function sessionRoutes({
  cookies,
  sessions,
}: {
  readonly cookies: BrowserCookies;
  readonly sessions: Sessions;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/sessions',
      { schema: { summary: "Lists the user's sessions, newest first", response: { 200: SessionList } } },
      async (request) => {
        const current = sessionOf(request);
        const listed = await sessions.list(current.userId, maxListed);
        return { sessions: listed.map((session) => describeSession(session, current.id)) };
      },
    );

    scope.delete(
      '/sessions/:id',
      {
        schema: {
          summary: "Ends one of the user's sessions",
          params: Type.Object({ id: handle }),
          response: { 200: Message },
        },
      },
      async (request) => {
        const isEnded = await sessions.endOwn(sessionOf(request), request.params.id, request.source);
        if (!isEnded) throw new Problem('not_found');
        return { message: 'session ended' };
      },
    );

    scope.delete(
      '/sessions',
      {
        schema: {
          summary:
            "Logs out; with `others=true` ends the user's other sessions instead. A client that accepts JSON gets 200, any other one 302 to `/`",
          querystring: Type.Object({
            others: Type.Optional(
              Type.Literal('true', { description: 'Ends the other sessions, and keeps this one' }),
            ),
          }),
          response: { 200: Message, 302: Message },
        },
      },
      async (request, reply) => {
        if (request.query.others === 'true') {
          await sessions.endOthers(sessionOf(request), request.source);
          return { message: 'other sessions ended' };
        }
        await sessions.end(sessionOf(request).id, request.source);
        cookies.clearSession(reply);
        const body = { message: 'logged out' };
        // Browsers get a redirect; programs that accept JSON explicitly get a body.
        if (request.headers.accept?.includes('application/json')) return body;
        return reply.status(302).header('location', '/').send(body);
      },
    );
  };
}
