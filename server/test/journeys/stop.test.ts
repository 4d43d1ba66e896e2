// How the service ends: asked to, asked twice, and not asked at all.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { engineNames } from '../support/engines.ts';
import { serviceOn } from '../support/running-service.ts';
import type { ServiceProcess } from '../support/service.ts';

/** A registration of which the service has the head and half of the body. */
async function beginRegistration(
  service: ServiceProcess,
  email: string,
): Promise<{ socket: Socket; rest: string; reply: Promise<string> }> {
  const body = new URLSearchParams({ email, password: 'b4l0u' }).toString();
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(service.baseUrl).port) });
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString())).on('error', () => {});
  const reply = once(socket, 'close').then(() => answer);
  await once(socket, 'connect');
  socket.write(
    `POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 9)}`,
  );
  await fetch(service.baseUrl); // whoever answers this has read that
  return { socket, rest: body.slice(9), reply };
}

async function untilLogged(service: ServiceProcess, words: string): Promise<void> {
  for (let i = 0; i < 500; i += 1) {
    if (service.lines.some((line) => line.includes(words))) return;
    await pause(10);
  }
  throw new Error(`The log never said "${words}":\n${service.lines.join('\n')}`);
}

for (const engine of engineNames) {
  test(`SIGTERM lets the requests under way finish, then ends with code 0 (${engine})`, async (t) => {
    const { start } = await serviceOn(t, engine);
    const service = await start();
    const begun = await Promise.all(
      [1, 2, 3].map((i) => beginRegistration(service, `person${i}@example.org`)),
    );
    const ended = service.stop('SIGTERM');
    await untilLogged(service, 'Stopping');
    for (const { socket, rest } of begun) socket.write(rest);
    for (const [i, { reply }] of begun.entries()) {
      assert.match(await reply, /^HTTP\/1\.1 200 /);
      assert.ok((await reply).includes(`{"email":"person${i + 1}@example.org","message":"user created"}`));
    }
    assert.equal(await ended, 0);

    const again = await start();
    const taken = await fetch(`${again.baseUrl}/users`, {
      method: 'POST',
      body: new URLSearchParams({ email: 'person1@example.org', password: 'x' }),
    });
    assert.equal(taken.status, 400, 'what was answered is kept');
    assert.equal(await again.stop('SIGINT'), 0);
  });
}

test('a second signal does not wait for a request that never ends', async (t) => {
  const { start } = await serviceOn(t, 'sqlite');
  const service = await start();
  const { reply } = await beginRegistration(service, 'slow@example.org');
  const ended = service.stop('SIGTERM');
  await untilLogged(service, 'Stopping');
  const asked = performance.now();
  service.child.kill('SIGTERM');
  assert.equal(await ended, 1);
  assert.ok(performance.now() - asked < 2000);
  assert.equal(await reply, '');
});

test('after kill -9 in the midst of registrations every acknowledged one logs in', async (t) => {
  const { start } = await serviceOn(t, 'sqlite');
  const acknowledged: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    const service = await start();
    let number = 0;
    const client = async (): Promise<void> => {
      while (!service.child.killed) {
        const email = `person${round}-${(number += 1)}@example.org`;
        const reply = await fetch(`${service.baseUrl}/users`, {
          method: 'POST',
          body: new URLSearchParams({ email, password: email }),
        }).catch(() => undefined);
        // The connection broke: it may be registered or not. Or the machine is busy with something else.
        if (reply === undefined || reply.status === 503) continue;
        assert.equal(reply.status, 200);
        acknowledged.push(email);
      }
    };
    const clients = Promise.all(Array.from({ length: 4 }, client));
    while (acknowledged.length < 10 * (round + 1)) await pause(5);
    await Promise.all([service.stop('SIGKILL'), clients]);
  }
  const { baseUrl } = await start();
  const refused: string[] = [];
  for (const email of acknowledged) {
    const reply = await fetch(`${baseUrl}/sessions`, {
      method: 'POST',
      body: new URLSearchParams({ email, password: email }),
    });
    if (reply.status !== 200) refused.push(`${email}: ${reply.status}`);
  }
  assert.deepEqual(refused, [], `of ${acknowledged.length}`);
});
