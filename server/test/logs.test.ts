// Logs and audit record: one log line for each request, without secrets, and an event for everything that concerns an
// account.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import type { AuditEvent } from '../src/audit/event.ts';
import { eventually, patienceMs } from './support/eventually.ts';
import { createPerson, freshEmail, type Person } from './support/person.ts';
import { reasonIn } from './support/traces.ts';
import { exchange } from './support/raw-connection.ts';
import { memberOf, send, type ContractRequest } from './support/request.ts';
import { startService, testService, type ServiceProcess, type TestService } from './support/service.ts';

type Line = Readonly<Record<string, unknown>>;

describe('the log', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bienvenue-logs-'));
  let service: ServiceProcess;
  before(async () => {
    const publicUrl = 'http://localhost:5000'; // else a request with the header of a proxy is rejected
    service = await startService({ DATA_DIR: folder, LOG_LEVEL: 'debug', PUBLIC_URL: publicUrl });
  });
  after(async () => {
    await service.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = async (
    method: string,
    path: string,
    fields?: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<[number, unknown]> => {
    const body = fields && { body: new URLSearchParams(fields) };
    const reply = await fetch(service.baseUrl + path, { method, headers, redirect: 'manual', ...body });
    return [reply.status, await reply.json()];
  };

  let ends = 0;
  /** Lines that the work adds. The log is written shortly after the reply, so another request marks their end. */
  const linesOf = async (work: () => Promise<unknown>): Promise<string[]> => {
    const from = service.lines.length;
    await work();
    ends += 1;
    await ask('GET', `/end-${ends}`);
    const isEnd = (line: string): boolean => line.includes(`"/end-${ends}"`);
    await eventually('the line of a request', () => service.lines.some(isEnd));
    return service.lines.slice(from, service.lines.findIndex(isEnd));
  };

  test('has one JSON line for each request: time, client, request and outcome', async () => {
    const email = freshEmail();
    let id: unknown;
    const lines = await linesOf(async () => {
      await ask('POST', '/users', { email, password: 'b4l0u' });
      const [, refusal] = await ask('POST', '/sessions?a=b', { email, password: 'wrong' });
      id = memberOf(refusal, 'request_id');
      await ask('GET', '/profile');
    });
    const parsed = lines.map((line) => JSON.parse(line) as Line);
    assert.deepEqual(
      parsed.map(({ level, method, path, status, address }) => [level, method, path, status, address]),
      [
        ['info', 'POST', '/users', 200, '127.0.0.1'],
        ['info', 'POST', '/sessions', 401, '127.0.0.1'],
        ['info', 'GET', '/profile', 403, '127.0.0.1'],
      ],
    );
    for (const { time } of parsed) assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.equal(parsed[1]?.['request_id'], id, 'the rejection contains the id of its line');
  });

  test('does not grow with a flood: logs some of its rejections, and then the number of the others', async (t) => {
    const flooded = await startService({ DATA_DIR: join(folder, 'flooded'), ADDRESS_LIMIT_PER_MINUTE: '10' });
    t.after(() => flooded.stop());
    const refused = async (): Promise<number> =>
      (await fetch(`${flooded.baseUrl}/sessions`, { method: 'DELETE' })).status;
    const begun = performance.now();
    const statuses = await Promise.all(Array.from({ length: 400 }, () => refused()));
    const rejected = statuses.filter((status) => status === 429).length;
    assert.ok(rejected > 300);
    await pause(1100);
    const seconds = (performance.now() - begun) / 1000;
    // The next rejection logs the number of those before. After six seconds a request is allowed again.
    while ((await refused()) !== 429);
    const count = (): { logged: number; counted: number } => {
      const parsed = flooded.lines.map((line) => JSON.parse(line) as Line);
      return {
        logged: parsed.filter(({ status }) => status === 429).length,
        counted: parsed.reduce((sum, { requests }) => sum + Number(requests ?? 0), 0),
      };
    };
    // The log is written shortly after the reply.
    await eventually(
      () => `lines for ${rejected} rejections: ${JSON.stringify(count())}`,
      () => count().logged + count().counted >= rejected,
    );
    // A flood that takes longer gets more lines.
    const { logged } = count();
    assert.ok(logged <= 50 * (seconds + 2), `${logged} rejections have a line of their own`);
  });

  test('contains no password, token, cookie or email address, wherever a request contains them', async () => {
    const email = freshEmail();
    const fields = { email, password: 'a secret password' };
    let token = '';
    let cookie = '';
    const lines = await linesOf(async () => {
      await ask('POST', '/users', fields);
      const login = await fetch(`${service.baseUrl}/sessions`, {
        method: 'POST',
        body: new URLSearchParams(fields),
      });
      cookie = login.headers.getSetCookie()[0]?.split(';')[0] ?? '';
      const [, asked] = await ask('POST', '/reset_password', { email });
      token = String(memberOf(asked, 'reset_token'));
      await ask('GET', '/profile', undefined, { cookie, authorization: `Bearer ${token}` });
      const query = `reset_token=${token}&email=${email}&password=a%20secret%20password`;
      await ask('GET', `/profile?${query}`, undefined, { referer: `http://localhost/?${query}` });
      await ask('PUT', '/reset_password', { email, reset_token: token, new_password: '' });
      const broken = {
        headers: { 'content-type': 'application/json' },
        body: `{"password":"a secret password","email":"${email}`,
      };
      await fetch(`${service.baseUrl}/sessions`, { method: 'POST', ...broken });
    });
    assert.equal(lines.length, 7, 'the lines were read');
    const log = lines.join('\n');
    for (const secret of [
      'a secret password',
      'a%20secret',
      token,
      token.split('.')[1] ?? '',
      cookie.split('=')[1] ?? '',
      email,
    ]) {
      assert.ok(secret.length > 8);
      assert.ok(!log.includes(secret), `the log contains ${secret}`);
    }
  });

  test('writes one line for each request, whatever it contains (log injection)', async () => {
    const port = Number(new URL(service.baseUrl).port);
    const targets = [
      '/a%0d%0a{"level":"error"}',
      '/"},{"level":"error","x":"',
      '/\\u000a',
      '/%1b[31m',
      `/${'x'.repeat(5000)}`,
    ];
    const lines = await linesOf(async () => {
      for (const target of targets)
        await exchange(
          port,
          `GET ${target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: a\tb"}\r\nX-Forwarded-For: "}\r\nConnection: close\r\n\r\n`,
        );
    });
    assert.equal(lines.length, targets.length);
    for (const [i, line] of lines.entries()) {
      const { level, path } = JSON.parse(line) as Line;
      assert.deepEqual([level, path], ['info', targets[i]]);
      assert.ok(
        line.split('').every((character) => character >= ' ' && character !== '\x7f'),
        line,
      );
    }
  });

  test('sends no text of strangers to a terminal as a command, in both formats (CWE-150)', () => {
    const program = `
      const { createLog } = await import(${JSON.stringify(import.meta.resolve('../src/http/log.ts'))});
      const log = await createLog({ level: 'info', pretty: process.argv[1] === 'pretty' });
      const text = ${JSON.stringify('a\u009B2J\u007F\u202E\u001B[2J\r')};
      log.warn({ host: text, err: new Error(text) }, 'Requests were rejected');`;
    for (const format of ['json', 'pretty']) {
      const run = spawnSync(process.execPath, ['--input-type=module', '-e', program, format], {
        encoding: 'utf8',
      });
      // Colors are commands of ours.
      const shown = stripVTControlCharacters(run.stdout).replaceAll('\n', '');
      assert.match(shown, /Requests were rejected/, run.stderr);
      assert.doesNotMatch(shown, /[\p{Cc}\u202E]/u, format);
      assert.ok(shown.includes(String.raw`a\u009b2J\u007f\u202e`), shown);
    }
  });

  test('contains the cause of an internal fault, which the reply does not reveal', async () => {
    const other = new DatabaseSync(join(folder, 'bienvenue.db'), { timeout: patienceMs }); // jobs write at any time
    other.exec('alter table sessions rename to elsewhere');
    const cookie = `session_id=${crypto.randomUUID()}.ses_${'x'.repeat(43)}`;
    let reply: [number, unknown] = [0, undefined];
    const lines = await linesOf(async () => {
      reply = await ask('GET', '/profile', undefined, { cookie });
    });
    other.exec('alter table elsewhere rename to sessions');
    other.close();
    const [status, body] = reply;
    assert.equal(status, 500);
    assert.deepEqual(
      Object.keys(body as object).toSorted(), // a problem
      ['code', 'message', 'request_id', 'status', 'title', 'type'],
    );
    assert.deepEqual(
      [memberOf(body, 'code'), memberOf(body, 'message')],
      ['internal_error', 'An internal error occurred'],
    );
    // Jobs may fail as well while the table is missing.
    const fault = lines
      .map((line) => JSON.parse(line) as Line)
      .find(({ level, request_id: id }) => level === 'error' && id === memberOf(body, 'request_id'));
    assert.match(String(memberOf(fault?.['err'], 'message')), /no such table/);
    assert.deepEqual(
      (await ask('GET', '/profile', undefined, { cookie }))[0],
      403,
      'the next request is served',
    );
  });
});

describe('the audit record', () => {
  const device = { 'user-agent': 'a browser' };
  let service: TestService;
  let person: Person;
  before(async () => {
    service = await testService('sqlite');
    person = await createPerson(service.app);
  });
  after(() => service.close());

  const logIn = (password: string): ContractRequest => ({
    method: 'POST',
    path: '/sessions',
    headers: device,
    fields: { email: person.email, password },
  });
  /** Events that the requests add, the oldest first; events of the same millisecond are in no order. */
  const eventsOf = async (...requests: readonly ContractRequest[]): Promise<AuditEvent[]> => {
    const known = new Set((await service.core.audit.list({ limit: 1000 })).map(({ id }) => id));
    for (const request of requests) await send(service.app, request);
    return (await service.core.audit.list({ limit: 1000 })).filter(({ id }) => !known.has(id)).toReversed();
  };

  test('has each login, successful or not: time, user, address, device and request', async () => {
    const events = await eventsOf(logIn('wrong'), logIn(person.password));
    assert.deepEqual(events.map((event) => `${event.event} ${reasonIn(event)}`).toSorted(), [
      'authn_login_fail wrong_password',
      'authn_login_success signed_in factors=password',
      'session_created session_created',
    ]);
    for (const { at, userId, address, device: browser, requestId, actor } of events) {
      assert.deepEqual([at, userId, browser, actor], [service.clock.now(), 1, 'a browser', 'anonymous']);
      assert.match(address ?? '', /^10\./);
      assert.ok(requestId !== null);
    }
  });

  test('has attempts to bypass the controls: too many attempts, a token used twice', async () => {
    const redeem: ContractRequest = {
      method: 'PUT',
      path: '/reset_password',
      fields: { email: person.email, reset_token: person.resetToken, new_password: 'another password' },
    };
    const guesses = Array.from({ length: 5 }, () => logIn('a guess'));
    const names = (await eventsOf(...guesses, redeem, redeem)).map(({ event }) => event);
    for (const name of ['authn_login_fail_max', 'authn_token_reuse'] as const)
      assert.equal(names.filter((one) => one === name).length, 1, names.join());
  });
});
