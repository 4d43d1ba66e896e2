import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';
import { readVersions } from '../db/migrate.ts';
import type { Core } from './core.ts';

const Status = Type.Object({ status: Type.String() });

/** Is the process alive; would a request be served. */
export const healthRoutes: FastifyPluginAsyncTypebox<Core> = async (scope, core) => {
  scope.get(
    '/health/live',
    { schema: { summary: 'The process answers', response: { 200: Status } } },
    async () => ({ status: 'live' }),
  );

  scope.get(
    '/health/ready',
    { schema: { summary: 'Requests are served', response: { 200: Status } } },
    async () => {
      await readVersions(core.database);
      return { status: 'ready' };
    },
  );
};
