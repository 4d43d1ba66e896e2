// Back-channel logout: a logout is stored with the end of a session or not at all, and delivered once, whatever fails.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { createLocalJWKSet, jwtVerify, type JWK } from 'jose';
import { onEachEngine } from '../../../../test/support/engines.ts';
import { freshEmail } from '../../../../test/support/person.ts';
import { planOf, scansOf } from '../../../../test/support/plan.ts';
import { Recorder } from '../../../../test/support/recorder.ts';
import { testService, type TestService } from '../../../../test/support/service.ts';
import { cheapSigningKey } from '../../../../test/support/signing-keys.ts';
import { modules } from '../../../app/modules.ts';
import { programSource } from '../../../audit/event.ts';
import type { Database } from '../../../db/database.ts';
import { dayMs, hourMs, minuteMs, secondMs } from '../../../kit/clock.ts';
import { silentLog } from '../../../kit/log.ts';
import { module } from '../../../module.ts';
import { Outgoing } from '../../../outgoing/outgoing.ts';
import { logoutCommand } from './command.ts';
import type { ClientSession } from '../grant/session-end.ts';
import { logoutsOnEnd, LogoutOutbox, queueLogouts, restartLogout } from './outbox.ts';
import { listLogouts, type LogoutRow } from './store.ts';

const issuer = 'https://accounts.test';
const event = 'http://schemas.openid.net/event/backchannel-logout';
const signedBy = { wiki: 'RS256', shop: 'ES256' } as const;

onEachEngine('back-channel logout', (engine) => {
  let service: TestService;
  let server: Server;
  let origin: string;
  let privateKeys: JWK[];
  let jwks: ReturnType<typeof createLocalJWKSet>;
  /** What clients received: the path, which names the client, and the token. */
  const received: { path: string; type: string | undefined; token: string }[] = [];
  const warned: Record<string, unknown>[] = [];
  /** Status of the clients; undefined does not answer. */
  let status: number | undefined = 200;
  let answer = '';
  let isBroken = false;

  const at = (client: string, sid: string | null): ClientSession => ({
    clientId: client,
    subject: 'subject of bob',
    sid,
    uri: `${origin}/${client}`,
    alg: signedBy[client as keyof typeof signedBy] ?? 'RS256',
  });
  const clientsOf = async (
    _tx: Database,
    ended: readonly { readonly id: string }[],
  ): Promise<ClientSession[]> =>
    ended.flatMap(({ id }) => Object.keys(signedBy).map((client) => at(client, `${client} ${id}`)));

  const instance = (database: Database = service.core.database): LogoutOutbox =>
    new LogoutOutbox({
      database,
      clock: service.clock.now,
      log: { ...silentLog, warn: (facts: unknown) => void warned.push(facts as Record<string, unknown>) },
      issuer,
      keys: { published: async () => ({ keys: privateKeys }) },
      fetch: new Outgoing({ allowed: [], allowsLoopback: true }).fetch,
    });

  before(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      request.on('end', () => {
        const token = new URLSearchParams(body).get('logout_token') ?? '';
        received.push({ path: request.url ?? '', type: request.headers['content-type'], token });
        if (status !== undefined) response.writeHead(status).end(answer);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // listens on TCP
    const ending = logoutsOnEnd(clientsOf);
    const failing = async (): Promise<void> => {
      if (isBroken) throw new Error('planted');
    };
    service = await testService(
      engine,
      {},
      { modules: [...modules, module({ name: 'probe', sessionEndings: [ending, failing] })] },
    );
    const pairs = await Promise.all([cheapSigningKey('RS256'), cheapSigningKey('ES256')]);
    privateKeys = pairs.map(({ privateJwk }) => privateJwk);
    jwks = createLocalJWKSet({ keys: pairs.map(({ publicJwk }) => publicJwk) });
  });
  beforeEach(async () => {
    [status, answer, isBroken] = [200, '', false];
    received.length = 0;
    warned.length = 0;
    await service.core.database.execute('delete from oidc_logouts');
  });
  after(async () => {
    server.closeAllConnections();
    server.close();
    await service.close();
  });

  async function session(email = freshEmail()): Promise<{ id: string; userId: number }> {
    const { auth, sessions } = service.core;
    await auth.registerUser(email, 'b4l0u').catch(() => {});
    const found = await sessions.find(await auth.createSession(email));
    return found ?? assert.fail('the session was created');
  }
  const listed = (limit: number): Promise<LogoutRow[]> => listLogouts(service.core.database, limit);
  const queue = (entries: readonly ClientSession[]): Promise<void> =>
    service.core.database.transaction((tx) => queueLogouts(tx, entries, service.clock.now()));

  test('stores one logout for each client and session, in the transaction that ends the session', async () => {
    const email = freshEmail();
    const [one, other] = [await session(email), await session(email)];
    isBroken = true;
    await assert.rejects(service.core.sessions.endAll(one.userId, programSource), /planted/);
    assert.deepEqual(await listed(10), [], 'an ending that is rolled back leaves none');
    isBroken = false;
    await Promise.all([
      service.core.sessions.endAll(one.userId, programSource),
      service.core.sessions.end(one.id, programSource),
    ]);
    const rows = await listed(10);
    assert.deepEqual(
      rows.map(({ client_id: client, sid }) => `${client}: ${sid}`).toSorted(),
      [one, other]
        .flatMap(({ id }) => Object.keys(signedBy).map((client) => `${client}: ${client} ${id}`))
        .toSorted(),
    );
  });

  test('sends a token that a client can verify, and removes the logout', async () => {
    const { id } = await session();
    await service.core.sessions.end(id, programSource);
    assert.equal(await instance().deliver(), 2);
    assert.deepEqual(await listed(10), []);
    assert.deepEqual(received.map(({ path }) => path).toSorted(), ['/shop', '/wiki']);
    for (const { path, type, token } of received) {
      const client = path.slice(1) as keyof typeof signedBy;
      assert.match(type ?? '', /^application\/x-www-form-urlencoded/);
      const currentDate = new Date(service.clock.now());
      const { payload, protectedHeader } = await jwtVerify(token, jwks, {
        issuer,
        audience: client,
        typ: 'logout+jwt',
        algorithms: [signedBy[client]],
        requiredClaims: ['iat', 'exp', 'jti'],
        currentDate,
      });
      const { iat = 0, exp = 0, jti, ...claims } = payload;
      assert.equal(iat, Math.floor(service.clock.now() / secondMs));
      assert.equal(exp - iat, 120);
      assert.match(jti ?? '', /^[\w-]{20,}$/);
      assert.deepEqual(claims, {
        iss: issuer,
        aud: client,
        sub: 'subject of bob',
        sid: `${client} ${id}`,
        events: { [event]: {} },
      });
      assert.deepEqual(Object.keys(protectedHeader).toSorted(), ['alg', 'kid', 'typ']);
    }
    assert.equal(new Set(received.map(({ token }) => token)).size, 2);
  });

  test('names no session if all of the user at the client end', async () => {
    await queue([at('wiki', null), at('wiki', null)]);
    assert.equal(await instance().deliver(), 2);
    const { payload } = await jwtVerify(received[0]?.token ?? '', jwks, {
      currentDate: new Date(service.clock.now()),
    });
    assert.deepEqual([payload.sub, 'sid' in payload], ['subject of bob', false]);
  });

  test('is delivered once by several instances', async () => {
    await queue(Array.from({ length: 120 }, (_, n) => at('wiki', `session ${n}`)));
    const counts = await Promise.all([instance().deliver(), instance().deliver(), instance().deliver()]);
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      120,
    );
    assert.equal(received.length, 120);
    assert.deepEqual(await listed(10), []);
  });

  test('is delivered by another instance if one is killed after its commit or in an attempt', async () => {
    await queue([at('wiki', 'one')]);
    status = undefined; // the client has the token and never answers: the instance is killed while it waits
    const outbox = instance();
    const hanging = outbox.deliver();
    while (received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    status = 200;
    assert.equal(await instance().deliver(), 0, 'it is claimed');
    service.clock.advance(30 * secondMs);
    assert.equal(await instance().deliver(), 1);
    assert.equal(received.length, 2);
    server.closeAllConnections();
    await hanging;
    assert.deepEqual(await listed(10), []);
  });

  test('is retried while the client fails, and delivered when it is back', async () => {
    await queue([at('wiki', 'one')]);
    status = 503;
    assert.equal(await instance().deliver(), 0);
    assert.equal(await instance().deliver(), 0);
    assert.equal(received.length, 1, 'it is not due yet');
    status = 302;
    service.clock.advance(secondMs);
    assert.equal(await instance().deliver(), 0);
    const [row] = await listed(10);
    assert.deepEqual(
      [row?.attempts, row?.last_error, row?.given_up_at],
      [2, 'The client answered with status 302', null],
    );
    status = 204;
    service.clock.advance(10 * secondMs);
    assert.equal(await instance().deliver(), 1);
    assert.equal(new Set(received.map(({ token }) => token)).size, 3, 'each attempt has a token of its own');
  });

  test('is abandoned after five retries, listed for seven days, and can be retried by the operator', async () => {
    const outbox = instance();
    await queue([at('wiki', 'one')]);
    status = 500;
    for (const wait of [0, secondMs, 10 * secondMs, minuteMs, 10 * minuteMs, hourMs]) {
      service.clock.advance(wait - 1);
      await outbox.deliver();
      service.clock.advance(1);
      await outbox.deliver();
    }
    assert.equal(received.length, 6);
    service.clock.advance(dayMs);
    await outbox.deliver();
    assert.equal(received.length, 6);
    const [row] = await listed(10);
    assert.deepEqual(
      [row?.client_id, row?.attempts, row?.last_error, row?.given_up_at],
      ['wiki', 6, 'The client answered with status 500', service.clock.now() - dayMs],
    );
    status = 200;
    const { database } = service.core;
    assert.equal(await restartLogout(database, 'unknown', service.clock.now()), false);
    assert.equal(await restartLogout(database, row?.id ?? '', service.clock.now()), true);
    assert.equal(await outbox.deliver(), 1);
    await queue([at('wiki', 'two')]);
    service.clock.advance(7 * dayMs - 1);
    assert.equal(await outbox.purge(10), 0);
    service.clock.advance(1);
    assert.equal(await outbox.purge(10), 1);
  });

  test('is abandoned when the client refuses it twice', async () => {
    await queue([at('wiki', 'one')]);
    status = 400;
    answer = `{"error":"invalid_request"}\n\u001b[31m\0${'x'.repeat(5000)}`;
    await instance().deliver();
    service.clock.advance(secondMs);
    await instance().deliver();
    const [row] = await listed(10);
    assert.equal(row?.given_up_at, service.clock.now());
    assert.match(row?.last_error ?? '', /^The client refused it: \{"error":"invalid_request"\}/);
    // eslint-disable-next-line no-control-regex -- what a client may not write to a terminal
    assert.doesNotMatch(row?.last_error ?? '', /[\x00-\x1f]/);
    assert.ok((row?.last_error ?? '').length <= 300);
  });

  test('of a session that is used again replaces the earlier one', async () => {
    const outbox = instance();
    await queue([at('wiki', 'one')]);
    status = 400;
    await outbox.deliver();
    service.clock.advance(secondMs);
    await outbox.deliver();
    const [abandoned] = await listed(10);
    assert.ok(abandoned?.given_up_at);
    await queue([at('wiki', 'one')]);
    const rows = await listed(10);
    assert.deepEqual(
      rows.map((row) => [row.attempts, row.given_up_at, row.id === abandoned.id]),
      [[0, null, false]],
    );
    status = 200;
    assert.equal(await outbox.deliver(), 1);
  });

  test('to a client that does not answer does not delay the others', async () => {
    const entries = Array.from({ length: 200 }, (_, n) => ({
      ...at('dead', `session ${n}`),
      uri: 'http://127.0.0.1:1/',
    }));
    await queue(entries);
    await queue([at('wiki', 'one')]);
    assert.equal(await instance().deliver(), 1);
    const rows = await listed(300);
    const asked = rows.filter(({ last_error: error }) => /ECONNREFUSED/.test(error ?? ''));
    assert.deepEqual([rows.length, asked.length <= 60], [200, true], 'the rest waits without a request');
    assert.equal(warned.length, 1, 'one line of the log a minute');
  });

  test('reaches no address that the operator does not allow', async () => {
    await queue([{ ...at('wiki', 'one'), uri: 'https://10.0.0.1/logout' }]);
    await instance().deliver();
    assert.match((await listed(1))[0]?.last_error ?? '', /^10\.0\.0\.1 is not public.*OUTBOUND_ALLOW/);
    assert.deepEqual(Object.keys(warned[0] ?? {}), ['client', 'logout', 'attempts', 'count', 'error']);
  });

  test('needs a key of the algorithm of the client', async () => {
    await queue([{ ...at('wiki', 'one'), alg: 'PS256' }]);
    assert.equal(await instance().deliver(), 0);
    assert.equal((await listed(1))[0]?.last_error, 'There is no signing key for PS256');
  });

  test('is listed and retried by the operator', async (t) => {
    const lines: string[] = [];
    t.mock.method(console, 'log', (line: string) => void lines.push(line));
    const parts = { db: service.core.database, clock: service.clock.now };
    const run = async (...args: string[]): Promise<string> => {
      lines.length = 0;
      await logoutCommand({ withData: (work) => work(parts) }).parseAsync(args, { from: 'user' });
      return lines.join('\n');
    };
    await queue([at('wiki', 'one'), at('shop', 'two')]);
    status = 400;
    await instance().deliver();
    service.clock.advance(secondMs);
    await instance().deliver();
    await queue([at('wiki', 'three')]);
    assert.match(await run('list'), /wiki +waiting +0 .*\n.*shop +given up +2 +The client refused it/s);
    const [waiting, abandoned] = JSON.parse(await run('list', '--json')) as Record<string, unknown>[];
    assert.deepEqual([waiting?.['state'], abandoned?.['state']], ['waiting', 'given up']);
    assert.equal((JSON.parse(await run('list', '--json', '--limit', '1')) as unknown[]).length, 1);
    await run('retry', String(abandoned?.['id']));
    status = 200;
    assert.equal(await instance().deliver(), 2);
    await assert.rejects(run('retry', 'unknown'), /No logout has the id unknown/);
    for (const limit of ['many', '', '1e3', '0x10', '1.5'])
      await assert.rejects(run('list', '--limit', limit), /whole number/, limit);
  });

  test('is found by an index', async () => {
    const recorder = new Recorder(service.core.database);
    const outbox = instance(recorder);
    await queue([at('wiki', 'one')]);
    await outbox.deliver();
    await listLogouts(recorder, 10);
    await outbox.purge(10);
    const plans = await Promise.all(
      recorder.recorded.map((one) => planOf(service.url, one, { prefersIndices: true })),
    );
    for (const [i, plan] of plans.entries())
      assert.deepEqual(
        scansOf(plan).filter((step) => !step.includes('oidc_logouts_by_age')), // the newest, up to a limit
        [],
        `${recorder.recorded[i]?.compiled.text}\n${plan.join('\n')}`,
      );
    const steps = plans.flat().join('\n');
    for (const index of [/oidc_logouts_due/, /oidc_logouts_by_age/, /oidc_logouts_by_expiry/])
      assert.match(steps, index);
  });
});
