// In local mode, requests that reach the service by another host name or through a proxy (DNS rebinding, tunnels).
import assert from 'node:assert/strict';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import Fastify from 'fastify';
import { pino } from 'pino';
import { PassThrough } from 'node:stream';
import { bienvenue } from '../../library/plugin.ts';
import { exchange } from '../../../test/support/raw-connection.ts';
import { assertProblem, send, type Reply } from '../../../test/support/request.ts';
import { publicMode } from '../../../test/support/public-service.ts';
import { testService, type TestService } from '../../../test/support/service.ts';
import { LocalRequests } from './proxy-hint.ts';
import { RejectionThrottle } from './rejection-throttle.ts';

const local: readonly string[] = [
  'localhost',
  'localhost:5000',
  'LocalHost:80',
  'localhost:',
  'app.localhost:5000',
  'a.b.localhost',
  '127.0.0.1',
  '127.0.0.1:5000',
  '127.8.9.10:1',
  '127.1',
  '[::1]',
  '[::1]:5000',
  '[0:0:0:0:0:0:0:1]:5000',
];
const foreign: readonly string[] = [
  'evil.example',
  'evil.example:5000',
  'localhost.evil.example',
  'localhost.',
  'evillocalhost',
  '127.0.0.1.evil.example',
  '127.0.0.1.nip.io',
  '0.0.0.0:5000',
  '192.168.1.5:5000',
  '128.0.0.1',
  '[::]',
  '[fe80::1]',
  '[::ffff:8.8.8.8]',
  'localhost@evil.example',
  'evil.example@localhost',
  'localhost:5000@evil.example',
  'localhost/evil.example',
  'evil.example/localhost',
  'evil.example#localhost',
  'evil.example?localhost',
  'localhost, evil.example',
  'localhost evil.example',
  'localhost:99999',
  'localhost:5000:6000',
  'loc%61lhost',
  'ⓛocalhost',
  '.',
  ':5000',
  '[localhost]',
];
const forwarding: Readonly<Record<string, string>> = {
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-host': 'localhost:5000',
  'x-forwarded-proto': 'https',
  'x-forwarded-port': '443',
  'x-forwarded-server': 'proxy',
  'x-forwarded-prefix': '/',
  'x-original-host': 'localhost',
  forwarded: 'for=127.0.0.1',
  via: '',
  'x-real-ip': '127.0.0.1',
  'x-client-ip': '127.0.0.1',
  'true-client-ip': '127.0.0.1',
  'cf-connecting-ip': '127.0.0.1',
  'cdn-loop': 'cloudflare',
};

describe('local mode', () => {
  let service: TestService;
  before(async () => (service = await testService('sqlite')));
  after(() => service.close());
  const ask = (headers: Record<string, string>, path = '/health/live'): Promise<Reply> =>
    send(service.app, { method: 'GET', path, headers });

  test('answers this machine by every name that it has', async () => {
    for (const host of local) assert.equal((await ask({ host })).status, 200, host);
  });

  test('answers 421 for every other Host, for which a browser may have looked up 127.0.0.1', async () => {
    for (const host of foreign) assertProblem(await ask({ host }), 421, 'misdirected_request');
  });

  test('answers 421 on every route, also for unknown paths and other methods, before it reads the body', async () => {
    const headers = { host: 'evil.example' };
    for (const { method, url, isRefusal } of service.routes) {
      if (method === 'HEAD' || (isRefusal && method !== 'OPTIONS' && method !== 'PATCH')) continue;
      const reply = await send(service.app, { method: method as 'GET', path: url, headers }); // a method of the list
      assertProblem(reply, 421, 'misdirected_request');
    }
    assertProblem(await ask(headers, '/nothing'), 421, 'misdirected_request');
  });

  test('answers a browser with a page that says what to do', async () => {
    for (const [language, sentence] of [
      ['en', /local mode.*set PUBLIC_URL/],
      ['fr', /mode local.*définissez PUBLIC_URL/],
    ] as const) {
      const reply = await ask(
        { host: 'evil.example', accept: 'text/html', 'accept-language': language },
        '/dev/mailbox',
      );
      assert.equal(reply.status, 421);
      assert.match(String(reply.headers['content-type']), /^text\/html/);
      assert.match(reply.text, sentence);
      assert.doesNotMatch(reply.text, /evil/);
    }
  });

  test('answers 421 to a request that a proxy forwarded, and gives it no reset token', async () => {
    for (const [name, value] of Object.entries(forwarding)) {
      assertProblem(await ask({ [name]: value }), 421, 'misdirected_request');
      const reply = await send(service.app, {
        method: 'POST',
        path: '/reset_password',
        fields: { email: 'ada@example.org' },
        headers: { [name.toUpperCase()]: value },
      });
      assertProblem(reply, 421, 'misdirected_request');
    }
  });

  test('checks the target of a request too, which replaces the Host header (RFC 9112 §3.2.2)', async () => {
    await service.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = service.app.server.address() as AddressInfo;
    const statusOf = async (target: string, head: string): Promise<number | undefined> =>
      (await exchange(port, `GET ${target} ${head}Connection: close\r\n\r\n`)).statuses[0];
    const withHost = 'HTTP/1.1\r\nHost: localhost\r\n';
    assert.equal(await statusOf('/health/live', withHost), 200);
    assert.equal(await statusOf(`http://127.0.0.1:${port}/health/live`, withHost), 200);
    for (const target of [
      'http://evil.example/health/live',
      'HTTP://localhost@evil.example/health/live',
      'http:///health/live',
    ])
      assert.ok([421, 400].includes((await statusOf(target, withHost)) ?? 0), target);
    assert.equal(await statusOf('http://localhost/health/live', 'HTTP/1.1\r\nHost: evil.example\r\n'), 421);
    assert.equal(await statusOf('/health/live', 'HTTP/1.1\r\nHost:\r\n'), 421, 'an empty Host');
    assert.equal(await statusOf('/health/live', 'HTTP/1.0\r\n'), 421, 'no Host at all');
    assert.equal(await statusOf('/health/live', 'HTTP/1.0\r\nHost: localhost\r\n'), 200);
  });
});

test('with PUBLIC_URL on a loopback host a proxy may forward, but still no other host is answered', async (t) => {
  const service = await testService('sqlite', { PUBLIC_URL: 'http://localhost:8080' });
  t.after(() => service.close());
  const ask = (headers: Record<string, string>): Promise<Reply> =>
    send(service.app, { method: 'GET', path: '/health/live', headers });
  for (const [name, value] of Object.entries(forwarding))
    assert.equal((await ask({ [name]: value, host: 'localhost:8080' })).status, 200, name);
  for (const host of foreign) assertProblem(await ask({ host }), 421, 'misdirected_request');
});

test('in public mode every Host is answered, with or without forwarding headers', async (t) => {
  const service = await testService('sqlite', publicMode);
  t.after(() => service.close());
  for (const host of [...local, ...foreign])
    assert.equal(
      (await send(service.app, { method: 'GET', path: '/health/live', headers: { host, ...forwarding } }))
        .status,
      200,
      host,
    );
});

test('as a plugin, the rule holds for the routes of the service only, over HTTP/2 too', async (t) => {
  const service = await testService('sqlite');
  const host = Fastify({ http2: true });
  host.get('/own', async () => 'own');
  await host.register(bienvenue, { service: service.service });
  await host.listen({ host: '127.0.0.1', port: 0 });
  const { port } = host.server.address() as AddressInfo;
  const session = connect(`http://127.0.0.1:${port}`);
  t.after(async () => {
    session.close();
    await host.close();
    await service.close();
  });
  const statusOf = (path: string, authority: string, more = {}): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': path, ':authority': authority, ...more });
      stream.on('response', (headers: IncomingHttpHeaders) => resolve(Number(headers[':status'])));
      stream.on('error', reject);
      stream.resume();
    });
  assert.equal(await statusOf('/health/live', `localhost:${port}`), 200);
  assert.equal(await statusOf('/health/live', 'evil.example'), 421);
  assert.equal(await statusOf('/health/live', 'localhost', { host: 'evil.example' }), 421);
  assert.equal(await statusOf('/health/live', 'localhost', { 'x-forwarded-for': '1.2.3.4' }), 421);
  assert.equal(await statusOf('/own', 'evil.example', { 'x-forwarded-for': '1.2.3.4' }), 200);
});

test('rejections are logged once a minute, with their number and the first reason', async () => {
  const stream = new PassThrough({ encoding: 'utf8' });
  const app = Fastify();
  const rule = new LocalRequests({
    publicUrl: undefined,
    log: pino({ base: null }, stream),
    throttle: new RejectionThrottle(),
  });
  rule.install(app);
  app.get('/', async () => '');
  for (let i = 0; i < 5; i += 1)
    await app.inject({ url: '/', headers: { host: `evil${'l'.repeat(500)}.example` } });
  const lines = String(stream.read()).trim().split('\n');
  assert.equal(lines.length, 1);
  const { count, host, msg } = JSON.parse(lines[0] ?? '') as Record<string, unknown>; // pino writes objects
  assert.deepEqual([count, String(host).length], [1, 100]);
  assert.match(String(msg), /set PUBLIC_URL/);
  await app.close();
});

/** What a browser sends when it opens a page. */
const navigation = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' };

describe('a browser that opens a page at an address of this machine', () => {
  let service: TestService;
  before(async () => (service = await testService('sqlite')));
  after(() => service.close());
  const open = (host: string, more: object = {}, path = '/sign-in?return_to=%2Faccount', method = 'GET') =>
    send(service.app, { method: method as 'GET', path, headers: { ...navigation, host, ...more } });

  test('is redirected to the same page at localhost, on every page', async () => {
    for (const [host, name] of [
      ['127.0.0.1:5000', 'localhost:5000'],
      ['[::1]:5000', 'localhost:5000'],
      ['127.0.0.1', 'localhost'],
    ] as const) {
      const { status, headers } = await open(host);
      assert.deepEqual([status, headers['location']], [307, `http://${name}/sign-in?return_to=%2Faccount`]);
    }
    for (const { method, url, isPage } of service.routes) {
      if (method !== 'GET' || !isPage) continue;
      const { status, headers } = await open('127.0.0.1:5000', {}, url);
      assert.deepEqual([status, headers['location']], [307, `http://localhost:5000${url}`]);
    }
  });

  test('is not redirected at a name, with another method or for a part of a page; programs are not either', async () => {
    const other = [
      await open('localhost:5000'),
      await open('accounts.localhost:5000'),
      await open('127.0.0.2:5000'), // which localhost does not reach
      await open('127.0.0.1:5000', { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }),
      await open('127.0.0.1:5000', { 'sec-fetch-dest': 'iframe' }),
      await open('127.0.0.1:5000', { 'sec-fetch-mode': '', 'sec-fetch-dest': '' }),
      await open('127.0.0.1:5000', {}, '/language', 'POST'),
    ];
    for (const { headers } of other) assert.doesNotMatch(String(headers['location']), /^http:\/\/localhost/);
    assert.equal((await open('evil.example')).status, 421);
  });

  test('is redirected to no address that the request line names', async () => {
    const { app, close } = await testService('sqlite');
    try {
      await app.listen({ host: '127.0.0.1', port: 0 });
      const { port } = app.server.address() as AddressInfo; // it listens on TCP
      const lines = Object.entries({ host: `127.0.0.1:${port}`, ...navigation, connection: 'close' });
      const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      const { text } = await exchange(port, `GET http://127.0.0.1:${port}/sign-in HTTP/1.1\r\n${head}\r\n`);
      assert.match(text, /^HTTP\/1\.1 \d/);
      assert.doesNotMatch(text, /^location:/im);
    } finally {
      await close();
    }
  });

  test('is not redirected if PUBLIC_URL names the address', async () => {
    const named = await testService('sqlite', { PUBLIC_URL: 'http://127.0.0.1:5000' });
    try {
      const headers = { ...navigation, host: '127.0.0.1:5000' };
      assert.equal((await send(named.app, { method: 'GET', path: '/sign-in', headers })).status, 200);
    } finally {
      await named.close();
    }
  });
});
