import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { readVersions } from '../db/migrate.ts';
import type { Database } from '../db/database.ts';

const Status = Type.Object({ status: Type.String() });

/** Reports liveness (the process runs) and readiness (the database answers). */
export function healthRoutes(db: Database): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/health/live',
      { schema: { summary: 'Answers while the process serves requests', response: { 200: Status } } },
      async () => ({ status: 'live' }),
    );

    scope.get(
      '/health/ready',
      {
        schema: {
          summary: 'Answers if requests can be served, database included',
          response: { 200: Status },
        },
      },
      async () => {
        await readVersions(db);
        return { status: 'ready' };
      },
    );
  };
}
