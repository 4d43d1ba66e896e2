// The three kinds of body that a request's fields come in (form, multipart, JSON), made one: after this, a schema
// validates fields and does not know how they came.
import formbody from '@fastify/formbody';
import multipart from '@fastify/multipart';
import type { FastifyInstance } from 'fastify';
import { fieldProblem } from '../kit/problem.ts';

/** Bytes of a request's body; an e-mail, a token and a password of 1,024 bytes fit many times. */
export const bodyBytes = 16 * 1024;
/** Fields in one body; our widest form has a handful. */
const mostFields = 20;

export async function acceptBodies(app: FastifyInstance): Promise<void> {
  app.removeAllContentTypeParsers(); // where we are mounted, the host may have parsers of its own
  await app.register(formbody);
  await app.register(multipart, {
    attachFieldsToBody: 'keyValues',
    limits: { fieldSize: bodyBytes, fields: mostFields, files: 0, parts: mostFields, headerPairs: 20 },
    onFile: async (part) => {
      part.file.resume(); // read to its end, or the request never finishes
      throw fieldProblem(part.fieldname, 'must not be a file');
    },
  });

  const parseJson = app.getDefaultJsonParser('error', 'error'); // __proto__ and constructor.prototype are refused
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    // A client that names JSON and sends nothing sends no fields; the schema says which ones are missing.
    if (body === '') return done(null, undefined);
    return parseJson(request, body as string, done); // parseAs: 'string'
  });

  // No body at all is a body without fields: the refusal then names them.
  app.addHook('preValidation', async (request) => {
    if (request.body === undefined || request.body === null) {
      if (request.routeOptions.schema?.body !== undefined) request.body = {};
    }
  });
}
