// Tests the login by password: failures of the hasher, its events, and known devices.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import bcrypt from '@node-rs/bcrypt';
import { modules } from '../../app/modules.ts';
import type { AuditEvent } from '../../audit/event.ts';
import { Hasher, type PasswordMatch } from '../../hash/hasher.ts';
import { dayMs, minuteMs } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { isProblem, Problem } from '../../kit/problem.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { Recorder } from '../../../test/support/recorder.ts';
import { cheapHashing } from '../../../test/support/hashing.ts';
import { memberOf } from '../../../test/support/request.ts';
import { useAuth, type AuthUnderTest } from '../../../test/support/auth.ts';
import { reasonIn } from '../../../test/support/traces.ts';

const email = 'bob@example.org';
const password = 'b4l0u';
const wrong = 'b4l00';

/** A hasher that throws the given error instead of returning a result. */
class FailingHasher extends Hasher {
  fault: { readonly at: 'capacity' | 'verify' | 'hash'; readonly error: Error } | undefined;

  constructor() {
    super(cheapHashing);
  }

  override requireCapacity(): void {
    this.#fail('capacity');
    super.requireCapacity();
  }

  override async verify(...asked: Parameters<Hasher['verify']>): Promise<PasswordMatch> {
    this.#fail('verify');
    return super.verify(...asked);
  }

  override async hash(text: string): Promise<string> {
    this.#fail('hash');
    return super.hash(text);
  }

  #fail(at: 'capacity' | 'verify' | 'hash'): void {
    if (this.fault?.at === at) throw this.fault.error;
  }
}

const busy = new Problem('too_busy');
const isBusy = (error: unknown): boolean => isProblem(error, 'too_busy');
const isTooMany = (error: unknown): boolean => isProblem(error, 'too_many_attempts');

/** Returns the counted attempts of all subjects. */
async function attemptsIn({ database }: AuthUnderTest): Promise<number[]> {
  const rows = await database.query((sql) => sql.selectFrom('attempts').select('failures'));
  return rows.map(({ failures }) => failures);
}

onEachEngine('a login', (engine) => {
  const makeAuth = useAuth(engine);
  const hasher = new FailingHasher();
  before(() => hasher.warm());
  after(() => hasher.close());

  /** The core with Bob, and a hasher that can be made to fail. */
  async function withBob(
    options: Parameters<typeof makeAuth>[0] = {},
  ): Promise<AuthUnderTest & { readonly id: number }> {
    hasher.fault = undefined;
    const { id } = await makeAuth({ hasher }).auth.registerUser(email, password);
    return { ...makeAuth({ hasher, ...options }), id };
  }

  describe('while the service is busy', () => {
    test('is rejected before the attempt is counted', async () => {
      const bench = await withBob();
      hasher.fault = { at: 'capacity', error: busy };
      for (let i = 0; i < 6; i += 1) await assert.rejects(bench.auth.logIn(email, password), isBusy);
      assert.deepEqual(await attemptsIn(bench), []);
    });

    test('is not counted as an attempt, also if the rejection follows the count', async () => {
      const bench = await withBob();
      hasher.fault = { at: 'verify', error: busy };
      for (let i = 0; i < 6; i += 1) await assert.rejects(bench.auth.logIn(email, password), isBusy);
      assert.deepEqual(await attemptsIn(bench), [0]);
      hasher.fault = undefined;
      assert.ok((await bench.auth.logIn(email, password))?.token);
    });

    test('counts as an attempt if the verification fails for another reason', async () => {
      const { auth } = await withBob();
      hasher.fault = { at: 'verify', error: new Problem('unavailable') };
      for (let i = 0; i < 5; i += 1)
        await assert.rejects(auth.logIn(email, password), (error) => isProblem(error, 'unavailable'));
      await assert.rejects(auth.logIn(email, password), isTooMany);
    });

    test('succeeds without replacing an outdated hash', async () => {
      const { auth, db, id } = await withBob();
      await db.updateUser(id, { hashedPassword: bcrypt.hashSync(password, 4) });
      hasher.fault = { at: 'hash', error: busy };
      assert.ok((await auth.logIn(email, password))?.token);
      assert.match((await db.findUserBy({ id })).hashedPassword ?? '', /^\$2/);
      hasher.fault = { at: 'hash', error: new Problem('unavailable') };
      await assert.rejects(auth.logIn(email, password), (error) => isProblem(error, 'unavailable'));
    });
  });

  test('leaves an outdated hash if the address is not confirmed: another hash would take longer', async () => {
    const { auth, db, id } = await withBob({ emailConfirmation: true });
    const hashedPassword = bcrypt.hashSync(password, 4);
    await db.updateUser(id, { hashedPassword });
    assert.equal(await auth.logIn(email, password), undefined);
    assert.equal((await db.findUserBy({ id })).hashedPassword, hashedPassword);
  });

  test('counts against the new account if it failed before the registration', async () => {
    const { auth, clock } = await withBob();
    const eve = 'eve@example.org';
    for (let i = 0; i < 5; i += 1) assert.equal(await auth.logIn(eve, wrong), undefined);
    await auth.registerUser(eve, password);
    await assert.rejects(auth.logIn(eve, password), isTooMany, 'it would reveal that the address was free');
    clock.advance(15 * minuteMs);
    assert.ok((await auth.logIn(eve, password))?.token);
  });

  describe('events', () => {
    const fail = 'authn_login_fail';

    /** Returns the events after the registration, sorted by name, because those of one millisecond have no order. */
    async function recorded({ audit }: AuthUnderTest): Promise<AuditEvent[]> {
      const events = await audit.list({ limit: 1000 });
      return events.filter(({ event }) => event !== 'user_created');
    }
    const facts = (events: readonly AuditEvent[]): string[] =>
      events
        .map((row) => [row.event, row.outcome, reasonIn(row), row.userId, row.actor].map(String).join(' '))
        .toSorted();

    test('contain the reason of a failure, and the account if there is one', async () => {
      const bench = await withBob();
      const { auth, id } = bench;
      const source = { actor: 'anonymous' } as const;
      await auth.logIn(email, wrong, source);
      await auth.logIn('eve@example.org', password, source);
      await auth.setDisabled(id, true, { actor: 'operator' });
      await auth.logIn(email, wrong, source);
      await auth.logIn(email, password, source);
      assert.deepEqual(facts(await recorded(bench)), [
        `${fail} failure unknown_user null anonymous`,
        `${fail} failure user_disabled ${id} anonymous`,
        `${fail} failure wrong_password ${id} anonymous`,
        `${fail} failure wrong_password ${id} anonymous`,
        `user_updated success account_disabled ${id} operator`,
      ]);
    });

    test('contain an unconfirmed address, which the response does not reveal', async () => {
      const bench = await withBob({ emailConfirmation: true });
      const { auth, database, clock, id } = bench;
      assert.equal(await auth.logIn(email, password), undefined);
      assert.deepEqual(facts(await recorded(bench)), [`${fail} failure email_unconfirmed ${id} program`]);
      assert.deepEqual(await attemptsIn(bench), [1], 'counts as a wrong password does');
      await database.query((sql) => sql.updateTable('users').set({ email_verified_at: clock.now() }));
      assert.ok((await auth.logIn(email, password))?.token);
    });

    for (const [whose, address] of [
      ['an account', email],
      ['an unknown address', 'eve@example.org'],
    ] as const) {
      test(`include one each for the fifth and the hundredth failure in a row, of ${whose}`, async () => {
        const bench = await withBob();
        const begin = bench.clock.now();
        for (let i = 0; i < 100; i += 1) {
          assert.equal(await bench.auth.logIn(address, wrong), undefined, `try ${i}`);
          bench.clock.advance(15 * minuteMs);
        }
        await assert.rejects(bench.auth.logIn(address, wrong), isTooMany);
        const events = await recorded(bench);
        const userId = address === email ? bench.id : null;
        for (const event of events) assert.deepEqual([event.outcome, event.userId], ['failure', userId]);
        const attemptsAt = (name: string): number[] =>
          events
            .filter(({ event }) => event === name)
            .map(({ at }) => 1 + (at - begin) / (15 * minuteMs))
            .toSorted((a, b) => a - b);
        assert.deepEqual(attemptsAt('authn_login_fail_max'), [5]);
        assert.deepEqual(attemptsAt('authn_login_lock'), [100]);
        assert.deepEqual([attemptsAt(fail).length, events.length], [100, 102]);
      });
    }

    test('contain the factor, the new session and the replaced one', async () => {
      const bench = await withBob();
      const { auth, id } = bench;
      const eve = await auth.registerUser('eve@example.org', password);
      const sessionToken = (await auth.logIn('eve@example.org', password))?.token ?? '';
      const source = { actor: 'anonymous', sessionToken } as const;
      for (let i = 0; i < 2; i += 1) assert.ok((await auth.logIn(email, password, source))?.token);
      const ofLogin = (userId: number, actor: string): string[] => [
        `authn_login_success success signed_in factors=password ${userId} ${actor}`,
        `session_created success session_created ${userId} ${actor}`,
      ];
      assert.deepEqual(
        facts(await recorded(bench)),
        [
          ...ofLogin(eve.id, 'program'),
          `session_expired success session_replaced ${eve.id} anonymous`,
          ...ofLogin(id, 'anonymous'),
          ...ofLogin(id, 'anonymous'),
        ].toSorted(),
      );
    });
  });

  test('at the limit of sessions ends the replaced session, not one of another device', async () => {
    const { auth, clock } = await withBob({ sessionsPerUser: 2 });
    const other = (await auth.logIn(email, password))?.token;
    clock.advance(minuteMs);
    const sessionToken = (await auth.logIn(email, password))?.token ?? '';
    const login = await auth.logIn(email, password, { actor: 'anonymous', sessionToken });
    assert.ok(login?.token);
    assert.ok(await auth.getSession(other), 'of another device');
    assert.equal(await auth.getSession(sessionToken), undefined);
  });

  test('writes only unreadable stored hashes to the log', async () => {
    const logged: unknown[][] = [];
    const log = { ...silentLog, error: (...line: unknown[]) => void logged.push(line) };
    const { auth, db, id } = await withBob({ log });
    await auth.logIn(email, wrong);
    await auth.logIn('eve@example.org', wrong);
    assert.deepEqual(logged, []);
    await db.updateUser(id, { hashedPassword: 'SuperHashedPwd' }, { allowsUnknownHash: true });
    assert.equal(await auth.logIn(email, 'SuperHashedPwd'), undefined);
    const [facts, sentence] = logged[0] ?? [];
    assert.deepEqual([logged.length, memberOf(facts, 'user_id')], [1, id]);
    assert.equal(typeof memberOf(facts, 'reason'), 'string');
    assert.match(String(sentence), /hash cannot be verified/);
  });

  test('resets the counter when it succeeds, at every route', async () => {
    const bench = await withBob();
    const { auth } = bench;
    const session = await auth.getSession(await auth.createSession(email));
    assert.ok(session);
    const logins = {
      logIn: () => auth.logIn(email, password),
      validLogin: () => auth.validLogin(email, password),
      requirePassword: () => auth.identity.stepUp.requirePassword(session, password, { actor: 'user' }),
    };
    for (const [name, open] of Object.entries(logins)) {
      for (let i = 0; i < 4; i += 1) await auth.logIn(email, wrong);
      assert.ok(await open(), name);
      assert.deepEqual(await attemptsIn(bench), [], name);
    }
  });

  describe('on a device', () => {
    const days = 90;
    const on = (deviceToken: string | undefined) =>
      ({ actor: 'anonymous', ...(deviceToken !== undefined && { deviceToken }) }) as const;
    async function signIn({ auth }: AuthUnderTest, deviceToken?: string): Promise<string | undefined> {
      const login = await auth.logIn(email, password, on(deviceToken));
      assert.ok(login?.token);
      return login.deviceToken;
    }

    test('makes it known for exactly the configured time', async () => {
      const bench = await withBob({ knownDeviceDays: days });
      assert.equal(bench.auth.identity.devices.knownMs, days * dayMs);
      const device = await signIn(bench);
      assert.ok(device);
      bench.clock.advance(days * dayMs - 1);
      assert.equal(await signIn(bench, device), undefined, 'known');
      bench.clock.advance(1);
      assert.ok(await signIn(bench, device), 'not any more');
      assert.equal(await bench.auth.purge(), 2, 'it is purged next, with its first session');
    });

    test('removes the oldest of twenty-one devices, but none of another user', async () => {
      const bench = await withBob({ knownDeviceDays: days });
      await bench.auth.registerUser('eve@example.org', password);
      const eves = (await bench.auth.logIn('eve@example.org', password))?.deviceToken;
      const devices: (string | undefined)[] = [];
      for (let i = 0; i < 21; i += 1) {
        bench.clock.advance(1);
        devices.push(await signIn(bench));
      }
      const [first, ...others] = devices;
      for (const device of others) assert.equal(await signIn(bench, device), undefined);
      assert.ok(await signIn(bench, first));
      const again = await bench.auth.logIn('eve@example.org', password, on(eves));
      assert.deepEqual([again?.token === undefined, again?.deviceToken], [false, undefined]);
    });

    test('ends with the password and with the account', async () => {
      const bench = await withBob({ knownDeviceDays: days });
      const { auth, database, id } = bench;
      const devices = async (): Promise<number> =>
        (await database.query((sql) => sql.selectFrom('known_devices').select('id'))).length;
      await auth.registerUser('eve@example.org', password);
      await auth.logIn('eve@example.org', password);
      const device = await signIn(bench);
      await auth.setPassword(email, password);
      assert.equal(await devices(), 1, 'Eve’s');
      assert.ok(await signIn(bench, device), 'as on a new one');
      await auth.setDisabled(id, true);
      assert.equal(await devices(), 1);
    });

    test('has no counter of its own for another user', async () => {
      const bench = await withBob({ knownDeviceDays: days });
      await bench.auth.registerUser('eve@example.org', password);
      const eves = (await bench.auth.logIn('eve@example.org', password))?.deviceToken;
      for (let i = 0; i < 5; i += 1) await bench.auth.logIn(email, wrong);
      await assert.rejects(bench.auth.logIn(email, password, on(eves)), isTooMany);
      assert.equal(await bench.auth.logIn('nobody@example.org', password, on(eves)), undefined);
    });

    test('runs 13 statements if it is known, and two if a module hears of the end of the replaced session', async () => {
      const bench = await withBob({ knownDeviceDays: days });
      const login = await bench.auth.logIn(email, password, on(undefined));
      const from = { ...on(login?.deviceToken), sessionToken: login?.token };
      const recorder = new Recorder(bench.database);
      const { auth } = makeAuth({ hasher, knownDeviceDays: days, through: () => recorder });
      assert.ok((await auth.logIn(email, password, from))?.token);
      const isHeard = modules.some(({ sessionEndings }) => sessionEndings.length > 0);
      assert.equal(recorder.recorded.length, isHeard ? 15 : 13);
      const lookups = recorder.recorded.filter(({ compiled }) =>
        /^select.*known_devices/.test(compiled.text),
      );
      assert.equal(lookups.length, 1);
    });

    test('is not known if the operator disables known devices', async () => {
      assert.equal(await signIn(await withBob({ knownDeviceDays: 0 })), undefined);
    });
  });
});
