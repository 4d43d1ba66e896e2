// Parses request bodies (form, multipart and JSON) into the same form, so that a schema validates fields whatever the
// content type.
import formbody from '@fastify/formbody';
import type {
  FastifyInstance,
  FastifyRequest,
  preParsingHookHandler,
  preValidationHookHandler,
} from 'fastify';
import { findRepeatedMember } from '../kit/text/json.ts';
import { fieldProblem, Problem } from '../kit/problem.ts';
import { isSafe } from './method.ts';

/** Maximum bytes of a request body: several times an email, a token and a password of 1,024 bytes. */
export const bodyBytes = 16 * 1024;

const noFields: preValidationHookHandler = (request, _reply, done) => {
  request.body ??= {};
  done();
};

/** Fails a request whose body was read in front of the service: its parser would wait for it without end. */
const requireUnread: preParsingHookHandler = ({ raw }, _reply, payload, done) => {
  if (raw.readableDidRead)
    done(
      new Error(
        'The body of the request was read before the service received it. Put parsers of bodies, such as express.json(), behind the service or on your own routes.',
      ),
    );
  else done(null, payload);
};

/** Installs the parsers of request bodies. */
export async function acceptBodies(app: FastifyInstance): Promise<void> {
  app.removeAllContentTypeParsers(); // a host server on which the service is mounted may have its own parsers
  await app.register(formbody);
  // Buffered, so that the same size limit applies to all three content types.
  app.addContentTypeParser(
    'multipart/form-data',
    { parseAs: 'buffer' },
    (request: FastifyRequest, body: Buffer) => parseMultipart(request.headers['content-type'] ?? '', body),
  );

  const parseJson = app.getDefaultJsonParser('error', 'error'); // rejects __proto__ and constructor.prototype
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    // An empty JSON body counts as a body without fields; the schema reports the missing ones.
    if (body === '') return done(null, undefined);
    const text = body as string; // parseAs: 'string'
    return parseJson(request, text, (error, value) => {
      const repeated = error === null ? findRepeatedMember(text) : undefined;
      // Two parsers may take different values of it. In a form, a repeated field is a list, which the schema rejects.
      if (repeated !== undefined) done(fieldProblem(repeated, 'is repeated'));
      else done(error, value);
    });
  });

  // A missing body counts as a body without fields, so that the problem names them. Routes without a body need no hook.
  app.addHook('onRoute', (route) => {
    if (![route.method].flat().every(isSafe))
      route.preParsing = [requireUnread, route.preParsing ?? []].flat();
    if (route.schema?.body === undefined) return;
    route.preValidation = [noFields, route.preValidation ?? []].flat();
  });
}

type Fields = Record<string, string | string[]>;

/**
 * Parses the fields of a multipart body (RFC 7578) with the parser of Node's fetch. A repeated field becomes a list.
 * @throws {Problem} invalid_request if the body is malformed or contains a file.
 */
async function parseMultipart(contentType: string, body: Buffer): Promise<Fields> {
  const fields: Fields = Object.create(null) as Fields; // a field may have the name __proto__
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

/** Longest value that `readFields` returns: that of a field of a page. */
const maxCharacters = 2200;

/**
 * Reads the fields of a browser's form that was rejected before its body was read. Returns none if the body is no such
 * form or is too large, or the client has gone.
 */
export async function readFields({
  headers,
  raw,
}: FastifyRequest): Promise<Readonly<Record<string, string>>> {
  const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true;
  if (!isForm || !(Number(headers['content-length']) <= bodyBytes)) return {};
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of raw) chunks.push(chunk as Buffer); // a request has no encoding
  } catch {
    return {};
  }
  const pairs = [...new URLSearchParams(Buffer.concat(chunks).toString())];
  return Object.fromEntries(pairs.filter(([, value]) => value.length <= maxCharacters));
}
