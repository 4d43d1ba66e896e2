import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type from 'typebox';

/** Content types that every route with a body accepts; the contract's own comes first. */
const bodyTypes = ['application/x-www-form-urlencoded', 'multipart/form-data', 'application/json'];

/** The response of every problem (RFC 9457 §3.1). */
const ProblemBody = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  code: Type.String({ description: 'Stable code of the problem' }),
  message: Type.String(),
  errors: Type.Optional(Type.Array(Type.Object({ field: Type.String(), message: Type.String() }))),
  request_id: Type.String(),
});
const problemResponse = {
  description: 'A problem',
  content: { 'application/problem+json': { schema: ProblemBody } },
};

interface DescribedSchema {
  readonly body?: unknown;
  readonly response?: Readonly<Record<string, unknown>>;
}

/** Describes the routes that are registered after this call as OpenAPI 3.1, from their schemas. */
export async function describeRoutes(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    transform: ({ schema, url }) => {
      const { response, ...rest } = schema as DescribedSchema; // TypeBox's, as the routes declare them
      const described = {
        ...rest,
        ...(rest.body !== undefined && { consumes: bodyTypes }),
        response: { ...response, default: problemResponse },
      };
      return { schema: described, url };
    },
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
  scope.get('/openapi.json', { schema: { summary: 'Describes this service as OpenAPI 3.1' } }, async () =>
    scope.swagger(),
  );
};
