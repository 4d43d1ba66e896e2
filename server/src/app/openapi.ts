import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';

/** Describes the routes registered from here on, from their schemas, as OpenAPI 3.1. */
export async function describeRoutes(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Bienvenue',
        description: 'User authentication: register, log in, log out, profile, reset the password.',
        version: '1',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
    },
  });
}

export const openapiRoutes: FastifyPluginAsyncTypebox = async (scope) => {
  scope.get('/openapi.json', { schema: { summary: 'Describes this service as OpenAPI 3.1' } }, async () => scope.swagger());
};
