import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { isReadOnly, readVersions } from '../../db/migrate.ts';
import type { Database } from '../../db/database.ts';
import '../../db/problem.ts';

const Status = Type.Object({ status: Type.String() });

/** Reports liveness (the process runs) and readiness (the database answers and accepts changes). */
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
        if (await isReadOnly(db)) throw new Problem('database_read_only', { retryAfterSeconds: 2 });
        return { status: 'ready' };
      },
    );
  };
}
