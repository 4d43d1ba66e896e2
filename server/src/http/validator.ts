import { Compile } from 'typebox/compile';
import type { TSchema } from 'typebox';
import type { FastifySchemaCompiler } from 'fastify';

/**
 * Checks a request's parts against their TypeBox schema, and changes nothing in them: no value is coerced (a list of
 * one address is no address) and none is removed.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema }) => {
  const compiled = Compile(schema);
  return (value: unknown) => (compiled.Check(value) ? { value } : { error: compiled.Errors(value) as never }); // Fastify passes a validator's own errors on as they are
};
