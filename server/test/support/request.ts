// Requests as the contract's clients send them, and assertions that hold for every reply.
import type { FastifyInstance, InjectOptions } from 'fastify';
import assert from 'node:assert/strict';

/** The three content types for the fields of a request. */
export type BodyKind = 'form' | 'multipart' | 'json';
export const bodyKinds: readonly BodyKind[] = ['form', 'multipart', 'json'];

/** Fields by their names on the wire; a list is the same field several times. */
export type Fields = Readonly<Record<string, string | readonly string[]>>;

export interface ContractRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS' | 'TRACE';
  readonly path: string;
  readonly fields?: Fields;
  /** The content type of the fields; by default a form. */
  readonly kind?: BodyKind;
  readonly sessionId?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A raw body instead of fields. */
  readonly payload?: string | Buffer;
  /** Network address of the client; by default a new one. */
  readonly from?: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** The body; `undefined` if it is not JSON. */
  readonly body: unknown;
  /** The Set-Cookie headers. */
  readonly cookies: readonly string[];
}

const boundary = 'a-boundary-that-stands-in-no-field';

/** The fields as a body of this kind, with its content type. */
export function encodeFields(kind: BodyKind, fields: Fields): { type: string; payload: string } {
  const pairs = Object.entries(fields).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, one]),
  );
  if (kind === 'form') {
    return { type: 'application/x-www-form-urlencoded', payload: String(new URLSearchParams(pairs)) };
  }
  if (kind === 'json') return { type: 'application/json', payload: JSON.stringify(fields) };
  const parts = pairs.map(
    ([name, value]) =>
      `--${boundary}\r\nContent-Disposition: form-data; name="${name.replaceAll('"', '%22')}"\r\n\r\n${value}\r\n`,
  );
  return {
    type: `multipart/form-data; boundary=${boundary}`,
    payload: `${parts.join('')}--${boundary}--\r\n`,
  };
}

let strangers = 0;

/** A client address that this process has not used yet, so that limits by address see a new client. */
function strangerAddress(): string {
  strangers += 1;
  return `10.${(strangers >> 16) & 255}.${(strangers >> 8) & 255}.${strangers & 255}`;
}

/** Sends a request into the service without a socket. */
export async function send(app: FastifyInstance, request: ContractRequest): Promise<Reply> {
  const {
    method,
    path,
    fields,
    kind = 'form',
    sessionId,
    headers,
    payload,
    from = strangerAddress(),
  } = request;
  const body = fields === undefined ? undefined : encodeFields(kind, fields);
  const answer = await app.inject({
    method,
    url: path,
    remoteAddress: from,
    headers: {
      ...(body && { 'content-type': body.type }),
      ...(sessionId !== undefined && { cookie: `session_id=${sessionId}` }),
      ...headers,
    },
    ...((body?.payload ?? payload) !== undefined && { payload: body?.payload ?? payload }),
  } as InjectOptions); // its type does not include TRACE
  return {
    status: answer.statusCode,
    headers: answer.headers,
    text: answer.payload,
    body: parseJson(answer.payload),
    cookies: [answer.headers['set-cookie'] ?? []].flat(),
  };
}

/** Sends a request over a socket, to a listening service. */
export async function sendTo(baseUrl: string, request: ContractRequest): Promise<Reply> {
  const { method, path, fields, kind = 'form', headers } = request;
  const body = fields === undefined ? undefined : encodeFields(kind, fields);
  const response = await fetch(baseUrl + path, {
    method,
    redirect: 'manual',
    headers: { ...(body && { 'content-type': body.type }), ...headers },
    ...(body && { body: body.payload }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    text,
    body: parseJson(text),
    cookies: response.headers.getSetCookie(),
  };
}

/** The session id that a reply sets; `undefined` if it sets none, or clears it. */
export function sessionIdOf({ cookies }: Reply): string | undefined {
  for (const cookie of cookies) {
    const value = /^session_id=([^;]+)/.exec(cookie)?.[1];
    if (value !== undefined) return value;
  }
  return undefined;
}

/** A member of a JSON body. */
export function memberOf(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null && Object.hasOwn(body, name)
    ? Reflect.get(body, name)
    : undefined;
}

/** Asserts that a reply is a problem with all its members (RFC 9457 §3.1), and names these fields. */
export function assertProblem(
  reply: Reply,
  status: number,
  code: string,
  fields: readonly string[] = [],
): void {
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.headers['content-type'], 'application/problem+json; charset=utf-8');
  assert.deepEqual(reply.cookies, []);
  const { type, title, message, errors, request_id, ...others } = reply.body as Record<string, unknown>; // the assertion below fails if it is not
  assert.equal(type, `/problems/${code}`);
  assert.deepEqual(others, { status, code });
  for (const text of [title, message, request_id])
    assert.ok(typeof text === 'string' && text !== '', reply.text);
  const named = ((errors ?? []) as { field: string }[]).map(({ field }) => field); // the problem's own member
  assert.deepEqual(named, fields, reply.text);
  for (const field of fields)
    assert.ok(String(message).includes(field), `"${String(message)}" does not name ${field}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
