import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { serviceOn } from '../support/running-service.ts';
import { cheapMain } from '../support/service.ts';

/** Longest time, in milliseconds, for which replies wait for a client that does not read them. */
const longestMs = 60_000;

test('disconnects a client that does not read its replies, and serves others in that time', async (t) => {
  const { start } = await serviceOn(t, 'sqlite');
  const { baseUrl } = await start({}, cheapMain);
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(baseUrl).port) });
  socket.pause().on('error', () => {});
  const request = 'GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n';
  // Until the buffers of both sides are full, and the system accepts no more bytes.
  let stuckAt = performance.now();
  for (let [round, pending] = [0, 0]; !socket.closed; round += 1) {
    socket.write(request.repeat(20));
    await pause(20);
    if (socket.writableLength <= pending) stuckAt = performance.now();
    pending = socket.writableLength;
    assert.ok(performance.now() - stuckAt < longestMs, 'the connection is open');
    if (round % 20 === 0) assert.equal((await fetch(baseUrl)).status, 200);
  }
});
