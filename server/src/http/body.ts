// The three kinds of body that a request's fields come in (form, multipart, JSON), made one: after this, a schema
// validates fields and does not know how they came.
import formbody from '@fastify/formbody';
import type { FastifyInstance, FastifyRequest, preValidationHookHandler } from 'fastify';
import { fieldProblem, Problem } from '../kit/problem.ts';

/** Bytes of a request's body; an e-mail, a token and a password of 1,024 bytes fit many times. */
export const bodyBytes = 16 * 1024;

const noFields: preValidationHookHandler = (request, _reply, done) => {
  request.body ??= {};
  done();
};

export async function acceptBodies(app: FastifyInstance): Promise<void> {
  app.removeAllContentTypeParsers(); // where we are mounted, the host may have parsers of its own
  await app.register(formbody);
  // Read whole, so that one limit of size holds for all three kinds.
  app.addContentTypeParser(
    'multipart/form-data',
    { parseAs: 'buffer' },
    (request: FastifyRequest, body: Buffer) => parseMultipart(request.headers['content-type'] ?? '', body),
  );

  const parseJson = app.getDefaultJsonParser('error', 'error'); // __proto__ and constructor.prototype are refused
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    // A client that names JSON and sends nothing sends no fields; the schema says which ones are missing.
    if (body === '') return done(null, undefined);
    return parseJson(request, body as string, done); // parseAs: 'string'
  });

  // No body at all is a body without fields: the refusal then names them. Routes that take none are spared the hook.
  app.addHook('onRoute', (route) => {
    if (route.schema?.body === undefined) return;
    route.preValidation = [noFields, route.preValidation ?? []].flat();
  });
}

type Fields = Record<string, string | string[]>;

/**
 * The fields of a multipart body (RFC 7578), by the parser of Node's own fetch. A repeated field becomes a list.
 * @throws {Problem} invalid_request for a body that is none, or holds a file.
 */
async function parseMultipart(contentType: string, body: Buffer): Promise<Fields> {
  const fields: Fields = Object.create(null) as Fields; // a field may be called __proto__
  if (body.length === 0) return fields;
  const response = new Response(new Uint8Array(body), { headers: { 'content-type': contentType } });
  const form = await response.formData().catch((cause: unknown) => {
    throw new Problem('invalid_request', { cause });
  });
  for (const [name, value] of form) {
    if (typeof value !== 'string') throw fieldProblem(name, 'must not be a file');
    const earlier = fields[name];
    fields[name] = earlier === undefined ? value : [earlier, value].flat();
  }
  return fields;
}
