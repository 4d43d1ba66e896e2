// The breach check against a fake service: what it sends, what it accepts, and how it fails open.
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { after, before, beforeEach, describe, test } from 'node:test';
import { hourMs, minuteMs } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { testClock } from '../../../test/support/clock.ts';
import { BreachCheck } from './breach-check.ts';
import { OptionFault } from '../../config/parse.ts';
import { breachCheckOptions } from './options.ts';

/** SHA-1 of `password`, as the manual of Pwned Passwords has it: 5BAA6 and the rest. */
const suffix = '1E4C9B93F3F0682250B6CF8331B7EE68FD8';
const padding = '0018A45C4D1DEF81644B54AB7F969B88D65:0';
const others = `${padding}\r\n00D4F6E8FA6EECAD2A3AA415EEC418D38EC:2`;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const answering =
  (body: string, status = 200): Handler =>
  (_request, response) =>
    void response.writeHead(status, { 'content-type': 'text/plain' }).end(body);

describe('the breach check', () => {
  let server: Server;
  let url: URL;
  let handle: Handler = answering('');
  let requests: IncomingMessage[] = [];
  let logged: object[] = [];
  const clock = testClock();
  const log = {
    ...silentLog,
    warn: (facts: object, sentence: string) => {
      logged.push(facts);
      assert.match(sentence, /BREACH_CHECK_URL does not answer correctly/);
    },
  };

  before(async () => {
    server = createServer((request, response) => {
      requests.push(request);
      handle(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    url = new URL(`http://127.0.0.1:${address.port}/range/`);
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  beforeEach(() => {
    requests = [];
    logged = [];
  });

  const check = (): BreachCheck => new BreachCheck({ url, clock: clock.now, log });

  test('rejects a password whose hash is listed, in upper or lower case, on any line', async () => {
    for (const body of [
      `${others}\r\n${suffix}:9545824`,
      `${suffix}:1\n${others}`,
      `${suffix.toLowerCase()}:3`,
      `${padding}\r\n${suffix}:7\r\n`,
      `${padding}\r\n${suffix}:7\r\n${padding}\r\n\r\n`,
    ]) {
      handle = answering(body);
      assert.match((await check().reasonAgainst('password')) ?? '', /data breach/);
    }
    assert.deepEqual(logged, []);
  });

  test('sends five hex digits of the SHA-1 and nothing else of the password, and requests padding', async () => {
    handle = answering(others);
    await check().reasonAgainst('password');
    assert.equal(requests.length, 1);
    const [{ method, url: path, headers, rawHeaders }] = requests as [IncomingMessage];
    assert.deepEqual([method, path, headers['add-padding']], ['GET', '/range/5BAA6', 'true']);
    assert.deepEqual([headers['user-agent'], headers.accept], ['Bienvenue', 'text/plain']);
    assert.ok(!/1E4C9|password/i.test(`${path}${rawHeaders.join()}`));
    assert.equal(headers['content-length'] ?? headers['transfer-encoding'], undefined, 'there is no body');
  });

  test('accepts a password that is not listed, or listed as padding only', async () => {
    handle = answering(`${others}\r\n${suffix}:0`);
    assert.equal(await check().reasonAgainst('password'), undefined);
    for (const body of [others, `${others}\r\n`, `${others}\r\nx${suffix}:5`, `${others}\r\n${suffix}:5x`]) {
      handle = answering(body);
      assert.equal(await check().reasonAgainst('password'), undefined);
    }
    assert.deepEqual(logged, []);
  });

  const failures: Record<string, Handler> = {
    'answers with an error': answering(`${suffix}:5`, 500),
    'answers 429': answering('', 429),
    'answers with nothing': answering(''),
    'answers with a page': answering('<html>You are welcome</html>'),
    'redirects to a listing': (_request, response) => {
      if (_request.url === '/range/5BAA6') response.writeHead(302, { location: '/elsewhere' }).end();
      else answering(`${suffix}:5`)(_request, response);
    },
    'closes the connection': (request) => void request.socket.destroy(),
    'closes the connection amid the answer': (_request, response) => {
      response.writeHead(200, { 'content-length': '9999' });
      response.write(`${suffix}:5\r\n`, () => response.destroy());
    },
    'never ends its answer': (_request, response) => {
      const chunk = `${others}\r\n`.repeat(2000);
      const pour = (): void => void (response.writable && response.write(chunk, pour));
      pour();
    },
  };
  for (const [why, handler] of Object.entries(failures)) {
    test(`accepts the password and logs the failure if the service ${why}`, async () => {
      handle = handler;
      assert.equal(await check().reasonAgainst('password'), undefined);
      assert.equal(logged.length, 1);
      assert.ok(!JSON.stringify(logged).includes('password'));
    });
  }

  test('logs what went wrong, and the URL', async () => {
    const none = 'The response contains no line with a hash and a count';
    const rows = [
      [answering('', 204), 'The service answered with status 204'],
      [answering('', 500), 'The service answered with status 500'],
      [answering(''), none],
      [answering(`x${suffix}:5`), none],
      [answering(`${suffix}:5x`), none],
    ] as const;
    for (const [handler, message] of rows) {
      logged = [];
      handle = handler;
      assert.equal(await check().reasonAgainst('password'), undefined);
      const { err, url: loggedUrl } = (logged[0] ?? {}) as { err?: Error; url?: string }; // as the log receives them
      assert.deepEqual([err?.message, loggedUrl], [message, url.href.replace(/\/$/, '')]);
    }
  });

  test('requests the same path, however many slashes the URL ends with', async () => {
    handle = answering(others);
    for (const end of ['', '/', '//']) {
      const base = new URL(url.href.replace(/\/$/, end));
      await new BreachCheck({ url: base, clock: clock.now, log }).reasonAgainst('password');
    }
    assert.deepEqual(new Set(requests.map((request) => request.url)), new Set(['/range/5BAA6']));
  });

  test('reads at most 1 MB of an answer', async () => {
    handle = failures['never ends its answer'] ?? assert.fail();
    await check().reasonAgainst('password');
    assert.match(String((logged[0] as { err: Error }).err), /longer than 1000000 characters/);
  });

  test('follows no redirect', async () => {
    handle = failures['redirects to a listing'] ?? assert.fail();
    await check().reasonAgainst('password');
    assert.deepEqual(
      requests.map(({ url: path }) => path),
      ['/range/5BAA6'],
    );
  });

  test('waits two seconds at most, for the first byte and for the last', async () => {
    for (const handler of [
      () => {},
      (_request: IncomingMessage, response: ServerResponse) =>
        void response.writeHead(200).write(`${others}\r\n`),
    ]) {
      handle = handler;
      const start = performance.now();
      assert.equal(await check().reasonAgainst('password'), undefined);
      const ms = performance.now() - start;
      assert.ok(ms > 1500 && ms < 60_000, `${ms} ms`);
    }
    assert.equal(logged.length, 2);
  });

  test('accepts the password if nothing listens at the address', async () => {
    const closed = new BreachCheck({ url: new URL('http://127.0.0.1:1/range'), clock: clock.now, log });
    assert.equal(await closed.reasonAgainst('password'), undefined);
    assert.equal(logged.length, 1);
  });

  test('logs an outage once a minute, also after the clock was set back', async () => {
    handle = answering('', 500);
    const one = check();
    for (let i = 0; i < 5; i += 1) await one.reasonAgainst('password');
    clock.advance(minuteMs - 1);
    await one.reasonAgainst('password');
    assert.equal(logged.length, 1);
    clock.advance(1);
    await one.reasonAgainst('password');
    assert.equal(logged.length, 2);
    clock.advance(-hourMs);
    await one.reasonAgainst('password');
    assert.equal(logged.length, 3);
  });
});

const parseUrl = (url: string): string | undefined => breachCheckOptions.breachCheckUrl.parse(url)?.href;

describe('the URL of the breach check', () => {
  test('is https, or http on this machine', () => {
    assert.equal(parseUrl('https://api.pwnedpasswords.com/range'), 'https://api.pwnedpasswords.com/range');
    assert.equal(parseUrl('http://127.0.0.1:8080/range'), 'http://127.0.0.1:8080/range');
    for (const bad of [
      'http://api.pwnedpasswords.com/range',
      'ftp://127.0.0.1/',
      'nonsense',
      'https://a.example/?q=',
      'https://a.example/#x',
      'https://user:word@a.example/',
    ]) {
      assert.throws(() => parseUrl(bad), OptionFault, bad);
    }
  });
});
