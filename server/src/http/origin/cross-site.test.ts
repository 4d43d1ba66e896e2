import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Fastify, { type FastifyInstance } from 'fastify';
import { createApp } from '../../app/server.ts';
import type { RouteEntry } from '../../app/access.ts';
import { createLog } from '../log.ts';
import { contentsOf } from '../../../test/support/contents.ts';
import { createPerson, type Person } from '../../../test/support/person.ts';
import { testService, type TestService } from '../../../test/support/service.ts';
import { refuseCrossSite } from './cross-site.ts';
import { errorHandler } from '../reply/problem-handler.ts';
import { isSafe } from '../method.ts';
import { Origins, type OriginsOptions } from './origins.ts';

type Headers = Readonly<Record<string, string>>;

const allowed = 'https://app.example.org';

/** Headers that a browser sends for a page of another site. */
const foreign: Readonly<Record<string, Headers>> = {
  'Sec-Fetch-Site: cross-site': { 'sec-fetch-site': 'cross-site' },
  'Sec-Fetch-Site: same-site': { 'sec-fetch-site': 'same-site' },
  'an unknown Sec-Fetch-Site': { 'sec-fetch-site': 'friendly' },
  'an empty Sec-Fetch-Site': { 'sec-fetch-site': '' },
  'two values of Sec-Fetch-Site': { 'sec-fetch-site': 'same-origin, cross-site' },
  'cross-site with our own Origin': { 'sec-fetch-site': 'cross-site', origin: 'http://localhost:5000' },
  'a foreign Origin': { origin: 'https://evil.example' },
  'Origin: null': { origin: 'null' },
  'an empty Origin': { origin: '' },
  'two origins': { origin: `${allowed}, https://evil.example` },
  'an origin that begins as an allowed one': { origin: `${allowed}.evil.example` },
  'an origin that ends as an allowed one': { origin: 'https://evil.app.example.org' },
  'an allowed origin over http': { origin: 'http://app.example.org' },
  'an allowed origin on another port': { origin: `${allowed}:8443` },
  'an allowed origin in upper case': { origin: 'https://APP.example.org' },
  'an allowed origin with a path': { origin: `${allowed}/` },
  'a foreign Origin that is also the Host (DNS rebinding)': {
    origin: 'http://evil.example:5000',
    host: 'evil.example:5000',
  },
  'a loopback Origin on another port': { origin: 'http://localhost:3000', host: 'localhost:5000' },
  'a Host that is no host': { origin: 'http://localhost:5001', host: 'local host:5001' },
};

/** Headers that pages of the service, pages of allowed origins and programs send. */
const ours: Readonly<Record<string, Headers>> = {
  'a program, without these headers': {},
  'Sec-Fetch-Site: same-origin': { 'sec-fetch-site': 'same-origin', origin: 'http://127.0.0.1:5000' },
  'Sec-Fetch-Site: none': { 'sec-fetch-site': 'none' },
  'the Origin of PUBLIC_URL': { origin: 'http://localhost:5000' },
  'the Origin of the host, by name': { origin: 'http://localhost:5001', host: 'localhost:5001' },
  'the Origin of the host, by IPv4': { origin: 'http://127.0.0.1:5000', host: '127.0.0.1:5000' },
  'the Origin of the host, by IPv6': { origin: 'http://[::1]:5000', host: '[::1]:5000' },
  'the Origin of the host, on port 80': { origin: 'http://localhost', host: 'localhost' },
  'an allowed Origin': { origin: allowed },
  'an allowed Origin, cross-site': { origin: allowed, 'sec-fetch-site': 'cross-site' },
  'an allowed Origin, same-site': { origin: allowed, 'sec-fetch-site': 'same-site' },
};

describe('a page of another site (CSRF)', () => {
  let service: TestService;
  let app: FastifyInstance;
  let routes: readonly RouteEntry[] = [];
  let person: Person;

  before(async () => {
    service = await testService('sqlite', { PUBLIC_URL: 'http://localhost:5000', ALLOWED_ORIGINS: allowed });
    const log = await createLog({ level: 'silent', pretty: false });
    app = await createApp(service.service, log, { onRoutes: (entries) => (routes = entries) });
    person = await createPerson(app);
  });
  after(async () => {
    await app.close();
    await service.close();
  });

  for (const [what, headers] of Object.entries(foreign)) {
    test(`${what}: is rejected on every route, and nothing changes`, async () => {
      const unsafe = routes.filter(({ method, isForAnySite }) => !isSafe(method) && !isForAnySite);
      assert.ok(unsafe.length > 20);
      const cookie = `session_id=${person.sessionId}`;
      const payload = {
        email: person.email,
        password: person.password,
        reset_token: person.resetToken,
        new_password: 'x',
      };
      const earlier = await contentsOf(service.core.database);
      // A foreign Host is rejected before the origin is checked (proxy-hint.ts).
      const isForeignHost = headers['host']?.startsWith('localhost') === false;
      for (const { method, url } of [...unsafe, { method: 'POST', url: '/nothing' }]) {
        const reply = await app.inject({
          method: method as 'POST',
          url,
          headers: { cookie, ...headers },
          payload,
        }); // of any method
        assert.equal(reply.statusCode, isForeignHost ? 421 : 403, `${method} ${url}`);
        const { code } = reply.json<{ code: string }>();
        assert.equal(code, isForeignHost ? 'misdirected_request' : 'cross_site');
        assert.equal(reply.headers['set-cookie'], undefined);
      }
      assert.deepEqual(await contentsOf(service.core.database), earlier);
    });
  }

  for (const [what, headers] of Object.entries(ours)) {
    test(`${what}: is accepted`, async () => {
      const payload = { email: person.email, password: person.password };
      const reply = await app.inject({ method: 'POST', url: '/sessions', headers, payload });
      assert.equal(reply.statusCode, 200, reply.payload);
    });
  }

  test('may link to the service: reading is allowed, but no link signs a user in (login CSRF)', async () => {
    const reply = await app.inject({
      url: '/',
      headers: { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    });
    assert.equal(reply.statusCode, 200);
    const query = new URLSearchParams({ email: person.email, password: person.password }).toString();
    for (const { url } of routes.filter(({ method }) => isSafe(method))) {
      const read = await app.inject({ url: `${url}?${query}`, headers: { 'sec-fetch-site': 'cross-site' } });
      // No user is signed in, and the page of the sign-out may say so.
      const cookies = [read.headers['set-cookie'] ?? []].flat().filter((one) => !one.startsWith('done='));
      assert.deepEqual(cookies, [], url);
    }
  });

  test('is rejected before the body is read', async () => {
    const reply = await app.inject({
      method: 'POST',
      url: '/sessions',
      headers: { 'content-type': 'text/plain', 'content-length': '1000000', origin: 'null' },
      payload: 'x',
    });
    assert.equal(reply.statusCode, 403);
  });
});

describe('origins', () => {
  const options: OriginsOptions = {
    publicUrl: new URL('https://accounts.example.org'),
    isPublic: true,
    allowedOrigins: [allowed],
  };
  const origins = new Origins(options);

  test('in public mode the own origin is that of PUBLIC_URL, whatever the Host header', () => {
    assert.equal(origins.isOurs('https://accounts.example.org', 'evil.example'), true);
    assert.equal(origins.isOurs('https://evil.example', 'evil.example'), false);
    assert.equal(origins.isOurs('http://localhost:5000', 'localhost:5000'), false);
    assert.equal(origins.isOurs('null', undefined), false);
  });

  test('in local mode the own origin is the host of the request if it is this machine', () => {
    const local = new Origins({ publicUrl: undefined, isPublic: false, allowedOrigins: [] });
    for (const host of ['localhost:5000', '127.0.0.1:5000', '[::1]:5000', 'app.localhost:5000'])
      assert.equal(local.isOurs(`http://${host}`, host), true, host);
    for (const host of [
      'evil.example:5000',
      'local host:5001',
      'evil.example@localhost',
      'localhost.evil.example',
    ])
      assert.equal(local.isOurs(`http://${host}`, host), false, host);
    assert.equal(local.isOurs('http://localhost:5001', 'localhost:5000'), false);
    assert.equal(local.isOurs('http://localhost:5000', undefined), false);
  });

  test('only the exact configured origins are allowed', () => {
    assert.equal(origins.isAllowed(allowed), true);
    assert.equal(origins.isAllowed('https://accounts.example.org'), false);
    assert.equal(new Origins({ ...options, allowedOrigins: [] }).allowsOthers, false);
  });
});

const fails = (): never => {
  throw new Error('on purpose');
};

test('a rule that throws an error rejects the request', async () => {
  const app = Fastify();
  app.setErrorHandler(errorHandler());
  refuseCrossSite(app, { isAllowed: fails, isOurs: fails });
  let calls = 0;
  app.post('/', async () => (calls += 1));
  const reply = await app.inject({ method: 'POST', url: '/', headers: { origin: 'https://evil.example' } });
  assert.deepEqual([reply.statusCode, calls], [500, 0]);
  await app.close();
});
