// Routes that list the applications with access to the account, and remove it.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { formatInstant as instant } from '../../../kit/clock.ts';
import { handle, Message } from '../../../http/fields.ts';
import { Problem } from '../../../kit/problem.ts';
import { sessionOf } from '../../../identity/session/guard.ts';
import type { Applications, UsedApplication } from './applications.ts';
import '../../../http/problem.ts';

const Instant = Type.String({ format: 'date-time' });

/** An application as its user sees it. */
export const ApplicationEntry = Type.Object({
  client_id: Type.String(),
  name: Type.String(),
  first_party: Type.Boolean({ description: 'It belongs to the operator: the user is not asked' }),
  access: Type.Array(Type.String(), {
    description: 'Scopes; of a resource after its identifier, and single claims after the word `claim`',
  }),
  since: Instant,
  last_used_at: Instant,
});

/** Formats an application. */
export function describeApplication({
  id,
  name,
  isFirstParty,
  access,
  since,
  usedAt,
}: UsedApplication): Type.Static<typeof ApplicationEntry> {
  return {
    client_id: id,
    name,
    first_party: isFirstParty,
    access: [...access],
    since: instant(since),
    last_used_at: instant(usedAt),
  };
}

/** The routes, at the access level `session`. */
export function applicationRoutes({
  applications,
}: {
  readonly applications: Pick<Applications, 'list' | 'remove'>;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/profile/applications',
      {
        schema: {
          summary: "Lists the applications that can use the user's account",
          response: { 200: Type.Object({ applications: Type.Array(ApplicationEntry) }) },
        },
      },
      async (request) => {
        const listed = await applications.list(sessionOf(request).userId);
        return { applications: listed.map(describeApplication) };
      },
    );

    scope.delete(
      '/profile/applications/:client_id',
      {
        schema: {
          summary: 'Removes the access of an application, with its tokens',
          params: Type.Object({
            client_id: Type.String({ ...handle, description: 'Client id of the application' }),
          }),
          response: { 200: Message },
        },
      },
      async (request) => {
        const { client_id: id } = request.params;
        if (!(await applications.remove(sessionOf(request).userId, id, request.source)))
          throw new Problem('not_found');
        return { message: 'access removed' };
      },
    );
  };
}
