// How the service stops: after one signal, and after two. What it loses if it is killed: faults/kills.ts.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { engineNames } from '../support/engines.ts';
import { eventually } from '../support/eventually.ts';
import { serviceOn } from '../support/running-service.ts';
import type { ServiceProcess } from '../support/service.ts';

/** A registration of which the service has received the headers and half of the body. */
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
  await fetch(service.baseUrl); // once it answers this, it has read that
  return { socket, rest: body.slice(9), reply };
}

async function untilLogged({ lines }: ServiceProcess, words: string): Promise<void> {
  await eventually(
    () => `"${words}" in the log:\n${lines.join('\n')}`,
    () => lines.some((line) => line.includes(words)),
  );
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
    assert.equal(taken.status, 400, 'what was acknowledged is stored');
    assert.equal(await again.stop('SIGINT'), 0);
  });
}

test('a second signal does not wait for a request that never ends', async (t) => {
  const { start } = await serviceOn(t, 'sqlite');
  const service = await start();
  const { reply } = await beginRegistration(service, 'slow@example.org');
  const ended = service.stop('SIGTERM');
  await untilLogged(service, 'Stopping');
  service.child.kill('SIGTERM');
  assert.equal(await ended, 1, 'the end of the wait for the request would have been 0');
  assert.equal(await reply, '');
});
