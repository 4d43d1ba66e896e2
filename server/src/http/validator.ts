import { Compile } from 'typebox/compile';
import type { TSchema } from 'typebox';
import type { FastifySchemaCompiler } from 'fastify';

/**
 * Validates the parts of a request against their TypeBox schema without changing them: no value is coerced (a list of one
 * address is not an address) and none is removed.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema }) => {
  const compiled = Compile(schema);
  return (value: unknown) => (compiled.Check(value) ? { value } : { error: compiled.Errors(value) as never }); // Fastify passes errors of the validator on unchanged
};
