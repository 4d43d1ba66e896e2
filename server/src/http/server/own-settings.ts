// Keeps the settings of a host server, on which the service is mounted, away from the routes of the service.
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import type { FastifyInstance, FastifySerializerCompiler } from 'fastify';
import { bodyBytes } from '../body.ts';
import { validatorCompiler } from '../validator.ts';

// The default of Fastify, which has no way back to it. It has no types of Fastify's.
const compile = SerializerSelector()({}, {}) as FastifySerializerCompiler<unknown>;

/** Compiles the schema of a reply at its first use, as that of a request (validator.ts). */
const serializerCompiler: FastifySerializerCompiler<unknown> = (route) => {
  let serialize: ReturnType<typeof compile> | undefined;
  return (value) => (serialize ??= compile(route))(value);
};

/**
 * Gives the routes that are added afterwards the validator, the serializer and the body limit of the service. Those of a
 * host server may not read TypeBox schemas (a compiler for Zod), change the replies, or let a body of any size in.
 */
export function useOwnSettings(app: FastifyInstance): void {
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setReplySerializer(undefined as never); // no serializer of all replies: the state of a new server
  app.addHook('onRoute', (route) => {
    route.bodyLimit ??= bodyBytes;
  });
}
