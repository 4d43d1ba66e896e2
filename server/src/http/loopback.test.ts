// Local mode at both loopback addresses, and the redirect of browsers to the name at which passkeys work.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { networkInterfaces } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { silentLog } from '../kit/log.ts';
import { send } from '../../test/support/request.ts';
import { testService, type TestService } from '../../test/support/service.ts';
import { boundPort, listenOnLoopback, originOf } from './loopback.ts';

const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);
/** What a browser sends when it opens a page. */
const navigation = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' };

test('the service listens on both loopback addresses, and on neither after it was closed', async (t) => {
  if (!hasIPv6) return t.skip('this machine has no address ::1');
  const { app, close } = await testService('sqlite');
  const origins = (): string[] => ['127.0.0.1', '[::1]'].map((host) => `http://${host}:${boundPort(app)}`);
  await listenOnLoopback(app, 0, silentLog);
  const listening = origins();
  for (const origin of listening) assert.equal((await fetch(`${origin}/health/live`)).status, 200, origin);
  await close();
  for (const origin of listening) await assert.rejects(fetch(`${origin}/health/live`), origin);
});

test('the service warns if another program has the port at ::1', async (t) => {
  if (!hasIPv6) return t.skip('this machine has no address ::1');
  const other = createServer().listen({ host: '::1', port: 0, ipv6Only: true });
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  const warnings: string[] = [];
  const { app, close } = await testService('sqlite');
  try {
    await listenOnLoopback(app, port, { ...silentLog, warn: (_facts, message) => warnings.push(message) });
    assert.match(String(warnings), /Another program may answer at http:\/\/localhost:\d+/);
    assert.equal((await fetch(`http://127.0.0.1:${port}/health/live`)).status, 200);
  } finally {
    await close();
    other.close();
  }
});

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

test('the start prints an address at which passkeys work', () => {
  for (const host of ['localhost', '127.0.0.1', '::1', '[::1]'])
    assert.equal(originOf(host, 5000), 'http://localhost:5000');
  assert.equal(originOf('127.0.0.2', 5000), 'http://127.0.0.2:5000');
  assert.equal(originOf('0.0.0.0', 80), 'http://0.0.0.0:80');
});
