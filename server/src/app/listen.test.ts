// The addresses on which the service listens, and the one that it prints.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { silentLog } from '../kit/log.ts';
import { testService } from '../../test/support/service.ts';
import { boundPort, listenOnLoopback, originOf, secondServer } from './listen.ts';

const hasIPv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);
test('the service listens on both loopback addresses, and on neither after it was closed', async (t) => {
  if (!hasIPv6) return t.skip('this machine has no address ::1');
  const { app, close } = await testService('sqlite');
  const origins = (): string[] => ['127.0.0.1', '[::1]'].map((host) => `http://${host}:${boundPort(app)}`);
  const service = await listenOnLoopback(app, 0, silentLog);
  const listening = origins();
  for (const origin of listening) assert.equal((await fetch(`${origin}/health/live`)).status, 200, origin);
  await service.close();
  await close();
  for (const origin of listening) await assert.rejects(fetch(`${origin}/health/live`), origin);
});

test('a request at either loopback address is finished before the service is closed', async (t) => {
  if (!hasIPv6) return t.skip('this machine has no address ::1');
  for (const host of ['127.0.0.1', '::1']) {
    const { app, close } = await testService('sqlite');
    const service = await listenOnLoopback(app, 0, silentLog);
    const socket = connect({ host, port: boundPort(app) ?? 0 });
    let reply = '';
    socket.on('data', (bytes) => (reply += String(bytes)));
    const ended = new Promise((resolve) => socket.once('close', resolve));
    const body = JSON.stringify({ email: 'ann@example.org', password: 'a password of Ann' });
    socket.write(`POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`);
    socket.write(`Connection: close\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`);
    await new Promise((resolve) => app.server.once('request', resolve));
    let isClosed = false;
    const closing = service.close().then(() => (isClosed = true));
    await pause(100);
    assert.equal(isClosed, false, host);
    socket.write(body.slice(5));
    await Promise.all([closing, ended]);
    assert.match(reply, /^HTTP\/1\.1 200 /, host);
    await close();
  }
});

test('the second address has the connection limit of the first, and a failing accept(2) does not end the process', async (t) => {
  if (!hasIPv6) return t.skip('this machine has no address ::1');
  const { app, close } = await testService('sqlite');
  const second = secondServer(app);
  assert.equal(second.maxConnections, app.server.maxConnections);
  second.listen({ host: '::1', port: 0 });
  await once(second, 'listening');
  for (let i = 0; i < 3; i += 1) second.emit('error', new Error('accept EMFILE'));
  second.close();
  await close();
});

test('the service warns if another program has the port at ::1', async (t) => {
  if (!hasIPv6) return t.skip('this machine has no address ::1');
  const other = createServer().listen({ host: '::1', port: 0, ipv6Only: true });
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  const warnings: string[] = [];
  const { app, close } = await testService('sqlite');
  try {
    const service = await listenOnLoopback(app, port, {
      ...silentLog,
      warn: (_facts, message) => warnings.push(message),
    });
    assert.match(String(warnings), /Another program may answer at http:\/\/localhost:\d+/);
    assert.equal((await fetch(`http://127.0.0.1:${port}/health/live`)).status, 200);
    await service.close();
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
