// Tests requests that the server rejects: those that two servers could interpret differently, and those that are too
// large.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { testService, type TestService } from '../../../test/support/service.ts';

let service: TestService;
let port = 0;

before(async () => {
  service = await testService('sqlite');
  await service.app.listen({ host: '127.0.0.1', port: 0 });
  port = (service.app.server.address() as { port: number }).port; // listening on a port
});
after(() => service.close());

/** Opens a socket to the service that collects what it receives. */
function open(): { socket: Socket; read: () => string; closed: Promise<unknown> } {
  const socket = connect({ host: '127.0.0.1', port });
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => {}); // surplus bytes are answered with a reset
  return { socket, read: () => text, closed: new Promise((resolve) => socket.once('close', resolve)) };
}

/** Sends bytes and returns everything that is received until the service closes the connection. */
async function exchange(request: string): Promise<string> {
  const { socket, read, closed } = open();
  socket.write(request, 'latin1');
  await closed;
  return read();
}

/** Returns the statuses of the replies in a text. */
function statusesOf(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

const host = 'Host: localhost\r\n';
const form = 'Content-Type: application/x-www-form-urlencoded\r\n';
const hidden = `GET /health/live HTTP/1.1\r\n${host}\r\n`;

/** Requests whose end two servers could interpret differently, or that smuggle a header (RFC 9112 §11.2). */
const smuggled: Readonly<Record<string, string>> = {
  'TE.CL': `POST /sessions HTTP/1.1\r\n${host}${form}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`,
  'CL.TE': `POST /sessions HTTP/1.1\r\n${host}${form}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${hidden}`,
  'two lengths': `POST /sessions HTTP/1.1\r\n${host}${form}Content-Length: 0\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
  'a repeated length': `POST /sessions HTTP/1.1\r\n${host}${form}Content-Length: 0\r\nContent-Length: 0\r\n\r\n${hidden}`,
  'a list of lengths': `POST /sessions HTTP/1.1\r\n${host}${form}Content-Length: 0, 0\r\n\r\n${hidden}`,
  'a length with a sign': `POST /sessions HTTP/1.1\r\n${host}${form}Content-Length: +0\r\n\r\n${hidden}`,
  'a negative length': `POST /sessions HTTP/1.1\r\n${host}${form}Content-Length: -1\r\n\r\n${hidden}`,
  'a length in hexadecimal': `POST /sessions HTTP/1.1\r\n${host}${form}Content-Length: 0x0\r\n\r\n${hidden}`,
  'an empty length': `POST /sessions HTTP/1.1\r\n${host}${form}Content-Length:\r\n\r\n${hidden}`,
  'a length above the largest number': `POST /sessions HTTP/1.1\r\n${host}${form}Content-Length: 99999999999999999999999\r\n\r\n${hidden}`,
  'an unknown encoding': `POST /sessions HTTP/1.1\r\n${host}${form}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`,
  'chunked, but not last': `POST /sessions HTTP/1.1\r\n${host}${form}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${hidden}`,
  'an encoding after a vertical tab': `POST /sessions HTTP/1.1\r\n${host}${form}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n${hidden}`,
  'white space before the colon': `POST /sessions HTTP/1.1\r\n${host}${form}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${hidden}`,
  'a chunk size with a sign': `POST /sessions HTTP/1.1\r\n${host}${form}Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n${hidden}`,
  'a chunk size with 0x': `POST /sessions HTTP/1.1\r\n${host}${form}Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n${hidden}`,
  'a chunk size that overflows': `POST /sessions HTTP/1.1\r\n${host}${form}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n${hidden}`,
  'a chunk longer than its size': `POST /sessions HTTP/1.1\r\n${host}${form}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n${hidden}`,
  'a bare LF after a header': `POST /sessions HTTP/1.1\r\n${host}X: y\nContent-Length: 0\r\n\r\n${hidden}`,
  'a bare LF after the request line': `GET / HTTP/1.1\n${host}\r\n${hidden}`,
  'a bare LF at the end of the head': `GET / HTTP/1.1\r\n${host}\n${hidden}`,
  'a bare CR in a header': `GET / HTTP/1.1\r\n${host}X: y\rContent-Length: 5\r\n\r\n${hidden}`,
  'a bare LF after a chunk size': `POST /sessions HTTP/1.1\r\n${host}${form}Transfer-Encoding: chunked\r\n\r\n0\n\r\n${hidden}`,
  'a folded header (obs-fold)': `GET / HTTP/1.1\r\n${host}X: y\r\n Content-Length: 5\r\n\r\n${hidden}`,
  'a first header that is folded': `GET / HTTP/1.1\r\n X: y\r\n${host}\r\n${hidden}`,
  'a NUL in a header': `GET / HTTP/1.1\r\n${host}X: a\0b\r\n\r\n${hidden}`,
  'a NUL in the name of a header': `GET / HTTP/1.1\r\n${host}X\0: a\r\n\r\n${hidden}`,
  'a NUL in the address': `GET /\0 HTTP/1.1\r\n${host}\r\n${hidden}`,
  'a header without a name': `GET / HTTP/1.1\r\n${host}: y\r\n\r\n${hidden}`,
  'a header without a colon': `GET / HTTP/1.1\r\n${host}Content-Length\r\n\r\n${hidden}`,
  'a space in the address': `GET / /profile HTTP/1.1\r\n${host}\r\n${hidden}`,
  'an unknown version': `GET / HTTP/1.9\r\n${host}\r\n${hidden}`,
  'a method followed by a tab': `GET\t/ HTTP/1.1\r\n${host}\r\n${hidden}`,
};

describe('a request that could smuggle another one is answered with 400 and closes the connection', () => {
  for (const [what, request] of Object.entries(smuggled)) {
    test(what, async () => {
      const text = await exchange(request);
      assert.deepEqual(statusesOf(text), [400], text);
      assert.match(text, /\r\nConnection: close\r\n/i);
      assert.match(text, /"code":"invalid_request"/);
    });
  }

  test('unlike well-formed requests, of which two are answered on one connection', async () => {
    const { socket, read } = open();
    const chunked = 'Transfer-Encoding: chunked\r\n\r\n5\r\nemail\r\n0\r\n\r\n';
    socket.write(`POST /sessions HTTP/1.1\r\n${host}${form}${chunked}${hidden}`);
    while (statusesOf(read()).length < 2) await pause(10);
    assert.deepEqual(statusesOf(read()), [400, 200]); // the password is missing
    assert.match(read(), /password is missing/);
    socket.destroy();
  });
});

describe('a request that is too large', () => {
  const max = 16 * 1024;
  const json = 'Content-Type: application/json\r\n';
  const multipart = 'Content-Type: multipart/form-data; boundary=b\r\n';

  test('is answered with 431 if its headers are too large', async () => {
    for (const headers of [`X: ${'x'.repeat(max)}\r\n`, 'a: b\r\n'.repeat(max / 4)]) {
      const text = await exchange(`GET / HTTP/1.1\r\n${host}${headers}\r\n`);
      assert.deepEqual(statusesOf(text), [431]);
      assert.match(text, /"code":"headers_too_large"/);
    }
    assert.deepEqual(statusesOf(await exchange(`GET /${'x'.repeat(max)} HTTP/1.1\r\n${host}\r\n`)), [431]);
  });

  test('is answered with 413 if its body is too large, for each content type, without being read', async () => {
    for (const type of [form, json, multipart]) {
      const text = await exchange(
        `POST /sessions HTTP/1.1\r\n${host}${type}Content-Length: ${10 ** 12}\r\n\r\n`,
      );
      assert.deepEqual(statusesOf(text), [413], type);
      assert.match(text, /\r\nConnection: close\r\n/i);
    }
  });

  test('is answered with 413 at the first chunk above the limit', async () => {
    for (const type of [form, json, multipart]) {
      const { socket, read, closed } = open();
      socket.write(`POST /sessions HTTP/1.1\r\n${host}${type}Transfer-Encoding: chunked\r\n\r\n`);
      const chunk = `400\r\n${'x'.repeat(1024)}\r\n`;
      let sent = 0;
      for (; sent < 1000 && read() === '' && socket.writable; sent += 1) {
        socket.write(chunk);
        await pause(1);
      }
      await closed;
      assert.deepEqual(statusesOf(read()), [413], type);
      assert.ok(sent < 200, `${type} was read to its ${sent}th kilobyte`);
    }
  });

  test('or deeply nested costs little time and memory', async () => {
    const maxGrowth = 50 * 2 ** 20;
    const begun = performance.now();
    const bodies: Readonly<Record<string, readonly string[]>> = {
      [json]: [
        '['.repeat(max),
        `{"email":${'['.repeat(4000)}${']'.repeat(4000)}}`,
        `${'{"a":'.repeat(2700)}1${'}'.repeat(2700)}`,
      ],
      [form]: ['a&'.repeat(max / 2), 'a=1&'.repeat(max / 4), 'a[b]='.repeat(3000), '%'.repeat(max)],
      [multipart]: [
        `--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n`.repeat(300),
        '--b\r\n'.repeat(3000),
        '-'.repeat(max),
      ],
    };
    /** Sends them all, and returns by how much the process grew, in bytes. */
    const growth = async (): Promise<number> => {
      const { rss } = process.memoryUsage();
      for (let round = 0; round < 20; round += 1) {
        for (const [type, texts] of Object.entries(bodies)) {
          for (const text of texts.map((long) => long.slice(0, max))) {
            const reply = await exchange(
              `POST /sessions HTTP/1.1\r\n${host}Connection: close\r\n${type}Content-Length: ${text.length}\r\n\r\n${text}`,
            );
            assert.deepEqual(statusesOf(reply), [400], `${type}${text.slice(0, 40)}`);
          }
        }
        const query = await exchange(
          `GET /?${'a&'.repeat(7000)} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
        );
        assert.deepEqual(statusesOf(query), [200]);
      }
      return process.memoryUsage().rss - rss;
    };
    // The process may grow for other reasons, such as the tests before, but not each time.
    const growths = [await growth()];
    while ((growths.at(-1) ?? 0) >= maxGrowth && growths.length < 4) growths.push(await growth());
    assert.deepEqual(
      statusesOf(await exchange(`GET /?${'a&'.repeat(100_000)} HTTP/1.1\r\n${host}\r\n`)),
      [431],
    );
    assert.ok(performance.now() - begun < 60_000 * growths.length, '220 requests');
    assert.ok((growths.at(-1) ?? 0) < maxGrowth, growths.join());
  });
});

const asJson = (email: string): string => JSON.stringify({ email, password: 'x' });
const kinds = [
  ['application/json', asJson],
  [
    'application/x-www-form-urlencoded',
    (email: string) => new URLSearchParams({ email, password: 'x' }).toString(),
  ],
] as const;

test('accepts exact content types with any parameters', async () => {
  let people = 0;
  const status = async (type: string, encode: (email: string) => string): Promise<number> => {
    const payload = encode(`person${(people += 1)}@example.org`);
    return (
      await service.app.inject({ method: 'POST', url: '/users', headers: { 'content-type': type }, payload })
    ).statusCode;
  };
  for (const [type, encode] of kinds) {
    for (const right of [
      type,
      `${type}; charset=utf-8`,
      `${type};charset="UTF-8"`,
      type.toUpperCase(),
      ` ${type} `,
    ]) {
      assert.equal(await status(right, encode), 200, right);
    }
    for (const wrong of [
      `${type}2`,
      `x${type}`,
      `${type}, text/plain`,
      `text/plain; ${type}`,
      `${type}/x`,
      type.replace('/', ''),
    ]) {
      assert.equal(await status(wrong, encode), 415, wrong);
    }
  }
  const wrongs = [
    '',
    'text/plain',
    'text/json',
    'application/problem+json',
    'application/*',
    '*/*',
    'multipart/mixed; boundary=b',
    'json',
  ];
  for (const wrong of wrongs) assert.equal(await status(wrong, asJson), 415, wrong);
});

test('supports no upgrades and no tunnels', async () => {
  assert.deepEqual(statusesOf(await exchange(`CONNECT example.org:443 HTTP/1.1\r\n${host}\r\n`)), []);
  const upgrade = `GET /profile HTTP/1.1\r\n${host}Connection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n`;
  assert.deepEqual(statusesOf(await exchange(upgrade)), [403]);
  const h2c = `GET /profile HTTP/1.1\r\n${host}Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`;
  assert.deepEqual(statusesOf(await exchange(h2c)), [403]);
});
