// What one network, and one account, can take from the others, measured on a service of its own: logins during a flood
// from one /56, session checks while an account reads its pages, and the worst text for the password rule.
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, test, type TestContext } from 'node:test';
import { Blocklist } from '../src/identity/password/blocklist.ts';
import { passwordRule } from '../src/identity/password/rule.ts';
import { minuteMs } from '../src/kit/clock.ts';
import { isProblem } from '../src/kit/problem.ts';
import { patienceMs } from './support/eventually.ts';
import { makeScratchFolder } from './support/scratch.ts';
import { sqlitePath } from '../src/db/open-database.ts';
import { PublicService, sessionCookie } from './support/public-service.ts';
import { cheapMain, type ServiceProcess, startService } from './support/service.ts';

const events = 100_000;
const email = 'ada@example.org';
const password = 'nine herons on a bicycle';
/** Default of ACCOUNT_READS_PER_MINUTE. */
const readsPerMinute = 240;

const formType = { 'content-type': 'application/x-www-form-urlencoded' };

function post(
  { baseUrl }: ServiceProcess,
  path: string,
  fields: Record<string, string>,
  from: string,
): Promise<Response> {
  const headers = { ...formType, 'x-forwarded-for': from };
  return fetch(baseUrl + path, { method: 'POST', headers, body: new URLSearchParams(fields) });
}

/** Runs the work with a service in local mode, behind a proxy, with the limits of public mode. */
async function withService(
  work: (service: ServiceProcess, file: string) => Promise<void>,
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const folder = await makeScratchFolder();
  const options = {
    DATA_DIR: folder,
    LOG_LEVEL: 'info',
    PUBLIC_URL: 'http://localhost:5000',
    TRUSTED_PROXIES: '127.0.0.0/8',
    ADDRESS_LIMIT_PER_MINUTE: '60',
    GLOBAL_LIMIT_PER_MINUTE: '',
    ACCOUNT_READS_PER_MINUTE: '',
    ...environment,
  };
  // With cheap hashes: the limits are measured, not the hasher, which gives way to other programs.
  const service = await startService(options, cheapMain);
  try {
    await work(service, join(folder, 'bienvenue.db'));
  } finally {
    await service.stop();
    await rm(folder, { recursive: true });
  }
}

const percentile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN;

/** Calls the action at a rate; the latencies count from when each call was due. */
async function atRate(
  perSecond: number,
  seconds: number,
  act: (n: number) => Promise<unknown>,
): Promise<number[]> {
  const begun = performance.now();
  const calls: Promise<number>[] = [];
  for (let n = 0; n < perSecond * seconds; n += 1) {
    const due = begun + (n * 1000) / perSecond;
    await wait(Math.max(0, due - performance.now()));
    calls.push(act(n).then(() => performance.now() - due));
  }
  return Promise.all(calls);
}

test('250 requests a second from one /56: correct logins from elsewhere all succeed', async (t) =>
  withService(async (service) => {
    const people = Array.from({ length: 60 }, (_, n) => `person${n}@example.org`);
    for (const [n, one] of people.entries()) {
      const reply = await post(service, '/users', { email: one, password }, `198.51.100.${n}`);
      assert.equal(reply.status, 200);
    }
    for (const path of ['/sessions/passkey', '/sessions']) {
      const statuses: Record<number, number> = {};
      const flood = atRate(250, 20, async (n) => {
        const from = `2001:db8:0:${(n % 256).toString(16)}::1`;
        const { status } = await post(service, path, { email: `${n}@example.org`, password: 'wrong' }, from);
        statuses[status] = (statuses[status] ?? 0) + 1;
      });
      await wait(3000);
      const logins: number[] = [];
      const times = await atRate(4, 15, async (n) => {
        const one = people[n] ?? '';
        const reply = await post(service, '/sessions', { email: one, password }, `203.0.113.${n}`);
        logins.push(reply.status);
      });
      await flood;
      t.diagnostic(
        `${path}: ${JSON.stringify(statuses)}, logins p50 ${percentile(times, 0.5).toFixed(1)} ms`,
      );
      assert.deepEqual(
        logins.filter((status) => status !== 200),
        [],
      );
      await wait(minuteMs); // until the limits are full again
    }
  }));

const pages = [
  '/account',
  '/account/activity',
  '/account/address',
  '/account/authenticators',
  '/account/passkeys',
  '/account/password',
  '/account/recovery-codes',
  '/account/sessions',
  '/profile/passkeys',
  '/sessions',
];

/** Fills the activity of an account. */
function addEvents(file: string, userId: number, count: number): void {
  using database = new DatabaseSync(file, { timeout: patienceMs });
  const now = Date.now();
  database.exec('begin');
  const insert = database.prepare(
    `insert into audit_events (id, at, event, outcome, reason, actor, user_id, form, mac, seal_number, seal)
      values (?, ?, 'authn_login_fail', 'failure', 'wrong_password', 'anonymous', ?, 2, 'mac', ?, 'seal')`,
  );
  for (let n = 0; n < count; n += 1)
    insert.run(`00000000-0000-7000-8000-${count}-${n}`, now - count + n, userId, -count - n);
  database.exec('commit');
}

async function readWhileChecking(
  t: TestContext,
  service: ServiceProcess,
  file: string,
  maxReads = Number.POSITIVE_INFINITY,
): Promise<void> {
  assert.equal((await post(service, '/users', { email, password }, '198.51.100.1')).status, 200);
  const login = await post(service, '/sessions', { email, password }, '198.51.100.1');
  const cookie = login.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  addEvents(file, 1, events);
  const check = async (): Promise<void> => {
    const reply = await fetch(`${service.baseUrl}/profile`, { headers: { cookie } });
    assert.equal(reply.status, 200);
    await reply.text();
  };
  await atRate(200, 3, check);
  const idle = await atRate(200, 8, check);
  const over = new AbortController();
  const statuses: Record<number, number> = {};
  const readers = Array.from({ length: 8 }, async (_, reader) => {
    for (let n = reader; !over.signal.aborted; n += 1) {
      const headers = { cookie, accept: 'text/html' };
      const reply = await fetch(service.baseUrl + pages[n % pages.length], { headers, redirect: 'manual' });
      await reply.text();
      statuses[reply.status] = (statuses[reply.status] ?? 0) + 1;
    }
  });
  const busy = await atRate(200, 15, check);
  over.abort();
  await Promise.all(readers);
  const figures = [idle, busy].map((all) => [0.5, 0.99].map((part) => percentile(all, part).toFixed(1)));
  t.diagnostic(`p50, p99 in ms: idle ${figures[0]?.join(', ')}; read ${figures[1]?.join(', ')}`);
  t.diagnostic(JSON.stringify(statuses));
  // The latencies depend on what else runs on the machine; the number of pages does not.
  const read = statuses[200] ?? 0;
  assert.ok(read <= maxReads, `${read} pages`);
}

describe(`eight readers of every page of an account with ${events} events during session checks`, () => {
  test('get as many pages as the limit allows', (t) =>
    withService((service, file) => readWhileChecking(t, service, file, readsPerMinute * 2)));
  test('get pages whose work does not grow with the events, also without the limit', async (t) => {
    const service = await PublicService.start('sqlite');
    try {
      const { id, sessionId } = await service.member();
      const headers = { cookie: `${sessionCookie}=${sessionId}`, accept: 'text/html' };
      const cpuMsOf = async (path: string): Promise<number> => {
        const views = 200;
        for (let i = 0; i < views; i += 1) await service.send({ method: 'GET', path, headers }); // compiles
        const begun = process.threadCpuUsage();
        for (let i = 0; i < views; i += 1) await service.send({ method: 'GET', path, headers });
        const { user, system } = process.threadCpuUsage(begun);
        return (user + system) / 1000 / views;
      };
      addEvents(sqlitePath(service.service.url) ?? assert.fail(), id, 100);
      const few: number[] = [];
      for (const path of pages) few.push(await cpuMsOf(path));
      addEvents(sqlitePath(service.service.url) ?? assert.fail(), id, events);
      for (const [i, path] of pages.entries()) {
        const ms = await cpuMsOf(path);
        t.diagnostic(`${path}: ${few[i]?.toFixed(2)} ms of CPU, with all events ${ms.toFixed(2)} ms`);
        assert.ok(ms < 3 * (few[i] ?? 0) + 1);
      }
    } finally {
      await service.close();
    }
  });
});

test('the worst text for the password rule takes less than a millisecond', async (t) => {
  const names = ['Bienvenue', 'login.example.org'];
  const rule = passwordRule({ minLength: 15, checks: [new Blocklist({ minLength: 15, names })] });
  const times = 200;
  const worst = [
    '\uFDFA'.repeat(56),
    'a'.repeat(255),
    '\u3316'.repeat(170),
    'ab'.repeat(127),
    '\u0130'.repeat(255),
  ];
  const addresses = ['', `${'aaab.'.repeat(12)}@${'a.'.repeat(90)}org`, `${'\uFDFA'.repeat(21)}@example.org`];
  for (const text of worst)
    for (const address of addresses) {
      const begun = process.threadCpuUsage();
      for (let i = 0; i < times; i += 1)
        await rule(`${text}b`, { email: address, field: 'password' }).catch((error: unknown) => {
          if (!isProblem(error, 'invalid_request')) throw error;
        });
      const { user, system } = process.threadCpuUsage(begun);
      const ms = (user + system) / 1000 / times;
      t.diagnostic(`${text.slice(0, 2)} with ${address.slice(0, 4)}: ${ms.toFixed(3)} ms`);
      assert.ok(ms < 1);
    }
});
