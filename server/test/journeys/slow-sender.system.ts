import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { serviceOn } from '../support/running-service.ts';
import { cheapMain } from '../support/service.ts';

/**
 * Longest life, in milliseconds, of a connection that never completes a request: the service needs 11 s at most, and
 * without its limits Node.js a minute or more.
 */
const longestMs = 45_000;

const senders: Readonly<Record<string, string>> = {
  'nothing at all': '',
  'half a request line': 'POST /us',
  'headers without an end': 'POST /users HTTP/1.1\r\nHost: localhost\r\n',
  'a body without an end':
    'POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nemail=',
  'chunks without an end':
    'POST /users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n',
};

test('disconnects a client that sends a request byte by byte, and serves others in that time', async (t) => {
  const { start } = await serviceOn(t, 'sqlite');
  const { baseUrl } = await start({}, cheapMain);
  const port = Number(new URL(baseUrl).port);

  const lives = Object.entries(senders).map(async ([what, begin]): Promise<string | undefined> => {
    const begun = performance.now();
    const socket = connect({ host: '127.0.0.1', port });
    const drip = setInterval(
      () => begin !== '' && socket.write(begin.includes('chunked') ? '1\r\n \r\n' : 'x'),
      1000,
    );
    const ms = await new Promise<number>((resolve) => {
      socket.on('error', () => {}).on('data', () => {});
      socket.on('close', () => resolve(performance.now() - begun));
      socket.write(begin);
      setTimeout(() => socket.destroy(), longestMs + 3000).unref();
    });
    clearInterval(drip);
    return ms > longestMs ? `${what} lived for ${Math.round(ms)} ms` : undefined;
  });
  const over = new AbortController();
  const watch = async (): Promise<void> => {
    for (; !over.signal.aborted; await pause(500)) assert.equal((await fetch(baseUrl)).status, 200);
  };
  const ended = Promise.all(lives).finally(() => over.abort());
  const [survivors] = await Promise.all([ended, watch()]);
  assert.deepEqual(
    survivors.filter((life) => life !== undefined),
    [],
  );
});
