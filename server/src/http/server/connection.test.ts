// Tests connections: too many of them, too many requests on one, slow clients, and a stop with open connections.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { eventually } from '../../../test/support/eventually.ts';
import { hourMs, minuteMs } from '../../kit/clock.ts';
import { RequestHooks, type RequestHookOptions } from './request-hooks.ts';
import { errorHandler } from '../reply/problem-handler.ts';
import { connectionTimes, createServer, type ConnectionTimes } from './server.ts';

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly count?: number;
}

interface Connection {
  readonly socket: Socket;
  readonly read: () => string;
  readonly closed: Promise<void>;
}

const options: Omit<RequestHookOptions, 'log'> = {
  publicUrl: undefined,
  isPublic: false,
  allowedOrigins: [],
  trustedProxies: [],
  addressLimitPerMinute: 600,
  ipv6SiteLimitPerMinute: 4 * 600,
  ipv6BlockLimitPerMinute: 16 * 600,
  accountReadsPerMinute: 240,
  globalLimitPerMinute: 6000,
  hstsSubdomains: false,
  clock: Date.now,
};

/** How long the route `/work` takes. */
const workingMs = 250;

/** Starts a server with the request hooks, a route `/late` that answers after `release`, and `/work`. */
async function serve(t: TestContext, times: ConnectionTimes = connectionTimes) {
  const lines: Line[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line) as Line) });
  const hooks = new RequestHooks({ ...options, log });
  const app = createServer(log, hooks, times);
  app.setErrorHandler(errorHandler());
  hooks.install(app);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  app.get('/', async () => 'at once');
  app.post('/', async () => 'read');
  app.get('/late', async () => {
    await released;
    return 'late';
  });
  app.route({
    method: ['GET', 'POST'],
    url: '/work',
    handler: async () => {
      await pause(workingMs);
      return 'done';
    },
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as { port: number }; // listening on a port
  const open = (): Connection => {
    const socket = connect({ host: '127.0.0.1', port });
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    socket.on('error', () => {}); // a reset also ends the connection
    return {
      socket,
      read: () => text,
      closed: new Promise((resolve) => socket.once('close', () => resolve())),
    };
  };
  t.after(async () => {
    release();
    app.server.closeAllConnections();
    await app.close();
  });
  return { app, hooks, open, release, lines };
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

const untilRead = ({ read }: Connection, pattern: RegExp): Promise<true> =>
  eventually(
    () => `${pattern} in ${read()}`,
    () => pattern.test(read()),
  );

const untilReplies = ({ read }: Connection, count: number): Promise<true> =>
  eventually(
    () => `${count} replies in ${read()}`,
    () => read().split('HTTP/1.1 200').length - 1 === count,
  );

/** Limits that nothing here reaches, for tests of another one. */
const patientTimes: ConnectionTimes = {
  ...connectionTimes,
  requestMs: hourMs,
  headersMs: 5 * minuteMs, // the maximum of Node.js
  stillMs: hourMs,
};

/** Limit in milliseconds for a disconnection, below the defaults of Node.js: without ours, it comes after a minute or more. */
const goneMs = 45_000;

test('above the maximum number of connections rejects new ones and serves the open ones', async (t) => {
  const { app, open, lines } = await serve(t);
  app.server.maxConnections = 3;
  const first = [open(), open(), open()];
  for (const connection of first) {
    connection.socket.write(get('/'));
    await untilRead(connection, /at once$/);
  }
  for (let i = 0; i < 5; i += 1) {
    const more = open();
    more.socket.write(get('/'));
    await more.closed;
    assert.equal(more.read(), '');
  }
  for (const connection of first) {
    connection.socket.write(get('/'));
    await untilRead(connection, /at once[^]*at once$/);
  }
  first[0]?.socket.destroy();
  await first[0]?.closed;
  await pause(50);
  const later = open();
  later.socket.write(get('/'));
  await untilRead(later, /at once$/);
  assert.deepEqual(
    lines.map(({ msg, count }) => [msg, count]),
    [['Connections were rejected: too many are open', 1]],
    'logged once a minute',
  );
});

test('continues after a connection that cannot be accepted for lack of file descriptors', async (t) => {
  const { app, open, lines } = await serve(t);
  const fault = Object.assign(new Error('accept EMFILE'), { code: 'EMFILE', syscall: 'accept' });
  for (let i = 0; i < 100; i += 1) app.server.emit('error', fault);
  const connection = open();
  connection.socket.write(get('/'));
  await untilRead(connection, /at once$/);
  assert.equal(lines.length, 1);
});

test('allows thirty-two pending requests on one connection, repeatedly, and closes it if there are more', async (t) => {
  const { open, release } = await serve(t);
  const many = open();
  many.socket.write(get('/late') + get('/').repeat(31));
  await pause(100);
  assert.equal(many.read(), '');
  const tooMany = open();
  tooMany.socket.write(get('/late') + get('/').repeat(32));
  await tooMany.closed;
  assert.equal(tooMany.read(), '');
  release();
  for (let replies = 32; replies <= 128; replies += 32) {
    await untilReplies(many, replies);
    many.socket.write(get('/').repeat(32));
  }
  assert.match(many.read(), /^HTTP[^]*?\r\n\r\nlate/);
});

test(
  'a stop finishes pending requests, rejects new ones, and closes every connection',
  { timeout: goneMs },
  async (t) => {
    const { app, hooks, open, release } = await serve(t, patientTimes);
    const pending = open();
    const idle = open();
    const silent = open();
    const half = open();
    pending.socket.write(get('/late'));
    idle.socket.write(get('/'));
    half.socket.write('GET / HTTP/1.1\r\nHo');
    await untilRead(idle, /at once$/);

    hooks.isClosed = true;
    const next = open();
    next.socket.write(get('/'));
    await next.closed;
    assert.match(next.read(), /^HTTP\/1\.1 503 /);
    assert.match(next.read(), /\r\nconnection: close\r\n/i);
    assert.match(next.read(), /\r\nretry-after: 1\r\n/i);
    assert.match(next.read(), /"code":"unavailable"/);

    const closed = app.close();
    await idle.closed;
    await silent.closed;
    half.socket.write('st: localhost\r\n\r\n');
    await half.closed;
    assert.match(half.read(), /^HTTP\/1\.1 503 /);
    release();
    await pending.closed;
    assert.match(pending.read(), /^HTTP\/1\.1 200 OK\r\n[^]*\r\nConnection: close\r\n[^]*late$/);
    await closed;
  },
);

/** A twentieth of the time limits of the service, or less. */
const shortTimes: ConnectionTimes = {
  requestMs: 500,
  headersMs: 250,
  checkMs: 50,
  stillMs: 350,
  workMs: 1500,
};

/** What a slow sender sends first, and then repeats forever. */
const slowSenders: Readonly<Record<string, readonly [begin: string, drip: string]>> = {
  'half a request line': ['POST /us', 'x'],
  'endless headers': ['POST / HTTP/1.1\r\nHost: localhost\r\n', 'x'],
  'an endless body': [
    'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10000\r\n\r\nemail=',
    'x',
  ],
  'endless chunks': [
    'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n',
    '1\r\n \r\n',
  ],
};

// server/test/journeys/slow-sender.system.ts tests the real service with its real time limits.
for (const [what, [begin, drip]] of Object.entries(slowSenders)) {
  test(`disconnects a client that slowly sends ${what}`, { timeout: goneMs }, async (t) => {
    const { open } = await serve(t, shortTimes);

    const { socket, closed } = open();
    socket.write(begin);
    const dripping = setInterval(() => socket.write(drip), 50); // more often than the limit for a silent connection
    t.after(() => clearInterval(dripping));
    await closed;
  });
}

const silentSenders = {
  'before a request': '',
  'within the headers': 'GET / HTTP/1.1\r\nHo',
  'within the body':
    'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a":',
};

for (const [when, begin] of Object.entries(silentSenders))
  test(`disconnects a client that becomes silent ${when}`, { timeout: goneMs }, async (t) => {
    const { open } = await serve(t, { ...patientTimes, stillMs: shortTimes.stillMs });
    const { socket, closed } = open();
    if (begin !== '') socket.write(begin);
    await closed;
  });

test(
  'waits while the service works, for each request of a connection, and disconnects what hangs',
  { timeout: goneMs },
  async (t) => {
    const { open } = await serve(t, { ...connectionTimes, stillMs: 100, workMs: 2000 });
    const body = 'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}';
    const requests = [get('/work'), `POST /work HTTP/1.1\r\nHost: localhost\r\n${body}`];
    const works = open();
    for (let replies = 1; replies * workingMs < 2300; replies += 1) {
      works.socket.write(requests[replies % 2] ?? '');
      await untilReplies(works, replies);
    }

    const hangs = open();
    hangs.socket.write(get('/late'));
    await hangs.closed;
    assert.equal(hangs.read(), '');
  },
);

test('the time limits disconnect a slow sender within 15 seconds, and a slow reader within 20', () => {
  const { requestMs, headersMs, checkMs, stillMs } = connectionTimes;
  assert.ok(Math.max(requestMs, headersMs) + checkMs <= 15_000);
  assert.ok(2 * stillMs <= 20_000, 'Node.js waits twice as long while it writes');
});
