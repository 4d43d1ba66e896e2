// The addresses on which the service listens, and the one that it prints.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { silentLog } from '../kit/log.ts';
import { testService } from '../../test/support/service.ts';
import { boundPort, listenOnLoopback, originOf } from './listen.ts';

const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);
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

test('the start prints an address at which passkeys work', () => {
  for (const host of ['localhost', '127.0.0.1', '::1', '[::1]'])
    assert.equal(originOf(host, 5000), 'http://localhost:5000');
  assert.equal(originOf('127.0.0.2', 5000), 'http://127.0.0.2:5000');
  assert.equal(originOf('0.0.0.0', 80), 'http://0.0.0.0:80');
});
