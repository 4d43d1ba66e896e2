import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Fastify from 'fastify';
import { exchange } from '../../../test/support/raw-connection.ts';
import { testService, type TestService } from '../../../test/support/service.ts';
import { responseClass } from './response.ts';
import { secureReplies, securityHeaders } from './security-headers.ts';

const expected: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
};

/** Parses the headers of a reply: all values of a name, in their order, with names in lower case. */
function headersOf(reply: string): Record<string, string[]> {
  const [head = ''] = reply.split('\r\n\r\n', 1);
  const headers: Record<string, string[]> = {};
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    (headers[line.slice(0, colon).toLowerCase()] ??= []).push(line.slice(colon + 1).trim());
  }
  return headers;
}

function assertSecured(reply: string): void {
  const headers = headersOf(reply);
  for (const [name, value] of Object.entries(expected))
    assert.deepEqual(headers[name], [value], `${name} of ${reply}`);
}

const begin = 'HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n';
const json = 'Content-Type: application/json\r\n';

/** Requests of every kind, with the expected status. */
const requests: Readonly<Record<string, readonly [status: number, request: string]>> = {
  'a reply': [200, `GET / ${begin}\r\n`],
  'a reply to HEAD': [200, `HEAD / ${begin}\r\n`],
  'a reply without a body': [204, `OPTIONS / ${begin}\r\n`],
  'the API description': [200, `GET /openapi.json ${begin}\r\n`],
  'a rejected session': [403, `GET /profile ${begin}\r\n`],
  'a rejected page of another site': [
    403,
    `POST /sessions ${begin}Origin: null\r\nContent-Length: 0\r\n\r\n`,
  ],
  'an unknown path': [404, `GET /nothing ${begin}\r\n`],
  'a path that cannot be decoded': [400, `GET /%ff ${begin}\r\n`],
  'a parameter that is too long': [400, `GET /problems/${'x'.repeat(200)} ${begin}\r\n`],
  'a wrong method': [405, `POST /profile ${begin}Content-Length: 0\r\n\r\n`],
  'an unknown method': [404, `PROPFIND /profile ${begin}\r\n`],
  'a body of another type': [
    415,
    `POST /sessions ${begin}Content-Type: text/plain\r\nContent-Length: 1\r\n\r\nx`,
  ],
  'a body that is too large': [413, `POST /sessions ${begin}${json}Content-Length: 100000\r\n\r\n`],
  'a malformed body': [400, `POST /sessions ${begin}${json}Content-Length: 1\r\n\r\n{`],
  'missing fields': [400, `POST /sessions ${begin}${json}Content-Length: 2\r\n\r\n{}`],
  'a request without a host': [400, 'GET / HTTP/1.1\r\n\r\n'],
  'an unknown expectation': [200, `GET / ${begin}Expect: miracles\r\n\r\n`],
  'headers that are too large': [431, `GET / ${begin}X: ${'x'.repeat(20_000)}\r\n\r\n`],
  'bytes that are not HTTP': [400, 'hello\r\n\r\n'],
  'a TLS handshake': [400, '\x16\x03\x01\x02\x00\x01\x00'],
};

describe('every reply has each security header once', () => {
  let service: TestService;
  let port = 0;
  before(async () => {
    service = await testService('sqlite');
    await service.app.listen({ host: '127.0.0.1', port: 0 });
    port = (service.app.server.address() as { port: number }).port; // listening on a port
  });
  after(() => service.close());

  for (const [what, [status, request]] of Object.entries(requests)) {
    test(what, async () => {
      const { text: reply } = await exchange(port, request);
      assert.match(reply, new RegExp(`^HTTP/1\\.1 ${status} `));
      assertSecured(reply);
      assert.equal(headersOf(reply)['server'], undefined);
      assert.equal(headersOf(reply)['x-powered-by'], undefined);
      if (status < 400) return;
      const problem = JSON.parse(reply.slice(reply.indexOf('\r\n\r\n') + 4)) as Record<string, unknown>;
      assert.deepEqual(headersOf(reply)['content-type'], ['application/problem+json; charset=utf-8']);
      assert.equal(problem['status'], status);
    });
  }

  test('also if the service is mounted on another server', async () => {
    for (const url of ['/', '/profile', '/nothing', '/%ff']) {
      const { headers } = await service.app.inject({ url });
      for (const [name, value] of Object.entries(expected))
        assert.equal(headers[name], value, `${name} of ${url}`);
    }
  });
});

test('a reply that sets one of the security headers keeps its own value and the other headers', async (t) => {
  const headers = securityHeaders({ isPublic: false, hstsSubdomains: false });
  const app = Fastify({ http: { ServerResponse: responseClass({ headers, isClosed: false }) } });
  t.after(() => app.close());
  secureReplies(app, headers);
  app.get('/', async (_request, reply) => {
    void reply.header('Cache-Control', 'max-age=60');
    return '';
  });
  const own = { ...expected, 'cache-control': 'max-age=60' };
  const seen = await fetch(await app.listen({ host: '127.0.0.1', port: 0 }));
  for (const [name, value] of Object.entries(own)) assert.equal(seen.headers.get(name), value, name);
  const injected = await app.inject('/');
  for (const [name, value] of Object.entries(own)) assert.equal(injected.headers[name], value, name);
});

function hsts(isPublic: boolean, hstsSubdomains: boolean): string | undefined {
  return securityHeaders({ isPublic, hstsSubdomains })['strict-transport-security'];
}

test('HSTS is sent in public mode, with subdomains only if configured', () => {
  assert.equal(hsts(false, true), undefined);
  assert.equal(hsts(true, false), 'max-age=63072000');
  assert.equal(hsts(true, true), 'max-age=63072000; includeSubDomains');
});
