// What second factors open, on the trunk alone: with a factor that is plugged in as a room of its own would be. The
// journeys tell of the real ones.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { onEachEngine } from '../../../test/support/engines.ts';
import { Recorder } from '../../../test/support/recorder.ts';
import { useAuth, type AuthUnderTest, type AuthTestOptions } from '../../../test/support/auth.ts';
import { reasonIn } from '../../../test/support/traces.ts';
import type { Database } from '../../db/database.ts';
import { dayMs, minuteMs } from '../../kit/clock.ts';
import { isProblem, type Problem, type ProblemCode } from '../../kit/problem.ts';
import { createToken } from '../../kit/secret.ts';
import { pendingAuthenticationKind } from '../cookie-kinds.ts';
import { findUserById, updateVerified } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { Login } from '../sign-in/sign-in.ts';
import type { PendingAuthentication } from '../sign-in/subject.ts';
import type { Auth, AuthOptions } from '../../library/auth.ts';
import type { ClientSource } from '../context.ts';
import {
  parseFactors,
  withFactor,
  type FirstFactor,
  type FactorPurpose,
  type SecondFactor,
  type Consume,
} from './factor.ts';
import type { Session } from '../session/session-entry.ts';

const email = 'bob@example.org';
const password = 'b4l0u';
const source = { actor: 'user' } as const;

/** A factor whose proof is its own name. */
class Riddle implements SecondFactor {
  readonly name: string;
  readonly isBackup: boolean;
  readonly amr: readonly string[];
  readonly #isFirst: boolean;
  readonly setBy = new Set<number>();
  readonly occasions: FactorPurpose[] = [];
  readonly removals: number[] = [];
  /** How often it was asked whether it is set up. */
  asked = 0;
  /** Somebody else spends the proof in the moment between. */
  isConsumed = false;

  constructor(
    name: string,
    {
      isBackup = false,
      isFirst = false,
      amr = [name],
    }: { isBackup?: boolean; isFirst?: boolean; amr?: string[] } = {},
  ) {
    this.name = name;
    this.amr = amr;
    this.isBackup = isBackup;
    this.#isFirst = isFirst;
  }

  async isSet(_db: Database, userId: number): Promise<boolean> {
    this.asked += 1;
    return this.setBy.has(userId);
  }

  async isWayIn(db: Database, userId: number): Promise<boolean> {
    return this.#isFirst && this.isSet(db, userId);
  }

  async exportOf(_db: Database, userId: number): Promise<object> {
    return { isSet: this.setBy.has(userId) };
  }

  async check(_user: User, proof: string, occasion: FactorPurpose): Promise<Consume | undefined> {
    this.occasions.push(occasion);
    return proof === this.name ? async () => !this.isConsumed : undefined;
  }

  async removeAll(_tx: Database, userId: number): Promise<void> {
    this.removals.push(userId);
    this.setBy.delete(userId);
  }
}

/** A database on which something happens just before the next transaction. */
class Between extends Recorder {
  before: (() => Promise<unknown>) | undefined;

  override async transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    const { before } = this;
    this.before = undefined;
    await before?.();
    return super.transaction(work);
  }
}

/** Refused with this code. */
const refused =
  (code: ProblemCode) =>
  (error: unknown): error is Problem =>
    isProblem(error, code);

interface Bench extends AuthUnderTest {
  readonly bob: User;
  readonly riddle: Riddle;
  /** A factor that is a way in by itself. */
  readonly key: Riddle;
  readonly backup: Riddle;
}

onEachEngine('second factors', (engine) => {
  const makeAuth = useAuth(engine);

  /** A trunk with three kinds of factor and Bob, who has set none. */
  async function withBob(options: AuthTestOptions = {}): Promise<Bench> {
    const riddle = new Riddle('riddle');
    const key = new Riddle('key', { isFirst: true });
    const backup = new Riddle('backup', { isBackup: true });
    const made = makeAuth({ secondFactors: [riddle, key, backup], ...options });
    return { ...made, riddle, key, backup, bob: await made.auth.registerUser(email, password) };
  }

  /** Lets Bob in by a first factor. */
  async function enter(
    { auth, database, bob }: Bench,
    factor: FirstFactor = 'password',
    from: ClientSource = source,
  ): Promise<Login> {
    const user = await findUserById(database, bob.id);
    assert.ok(user);
    const signInContext = await auth.identity.signIn.signInContextOf(user, from);
    const login = await database.transaction((tx) =>
      auth.identity.signIn.admit(tx, user, factor, signInContext),
    );
    assert.ok(login);
    return login;
  }

  async function session(auth: Auth, { token }: Pick<Login, 'token'>): Promise<Session> {
    const found = await auth.getSession(token);
    assert.ok(found);
    return found;
  }

  async function pendingOf(auth: Auth, { pending, token }: Login): Promise<PendingAuthentication> {
    assert.equal(token, undefined);
    const found = await auth.identity.signIn.findPending(pending?.token);
    assert.ok(found);
    return found;
  }

  /** Bob's session by password and riddle. */
  async function bothIn(bench: Bench): Promise<Session> {
    bench.riddle.setBy.add(bench.bob.id);
    const { auth } = bench;
    const pending = await pendingOf(auth, await enter(bench));
    const { login } = await auth.identity.signIn.complete(
      pending,
      { factor: 'riddle', proof: 'riddle' },
      source,
    );
    return session(auth, login);
  }

  /** Names of the factors of each session, oldest first. */
  async function factorsIn({ auth }: Bench): Promise<string[][]> {
    const sessions = await auth.listSessions(undefined, 10);
    return sessions.map(({ factors }) => parseFactors(factors).map(({ factor }) => factor)).toReversed();
  }

  async function recorded({ audit, bob }: Bench, event: string): Promise<unknown[]> {
    const events = await audit.list({ event, userId: bob.id, limit: 20 });
    return events.map((row) => `${row.outcome} ${reasonIn(row)} ${row.actor}`).toSorted();
  }

  async function attemptsOf({ database }: Bench, factor: string): Promise<number[]> {
    const rows = await database.query((sql) =>
      sql.selectFrom('attempts').select('failures').where('factor', '=', factor),
    );
    return rows.map(({ failures }) => failures);
  }

  describe('are asked for', () => {
    const rows: readonly {
      readonly name: string;
      readonly policy: AuthOptions['secondFactorPolicy'];
      readonly set: readonly ('riddle' | 'key' | 'backup')[];
      readonly demand: { kind: string; factors: readonly string[] } | undefined;
    }[] = [
      { name: 'of nobody while they are off', policy: 'off', set: ['riddle'], demand: undefined },
      { name: 'of nobody who has set none', policy: 'optional', set: [], demand: undefined },
      { name: 'of nobody who has a backup alone', policy: 'optional', set: ['backup'], demand: undefined },
      {
        name: 'of whoever has set one',
        policy: 'optional',
        set: ['riddle'],
        demand: { kind: 'second_factor', factors: ['riddle'] },
      },
      {
        name: 'each with its backup',
        policy: 'optional',
        set: ['backup', 'key', 'riddle'],
        demand: { kind: 'second_factor', factors: ['riddle', 'key', 'backup'] },
      },
      {
        name: 'of everybody where they are required, who must set one up first',
        policy: 'required',
        set: [],
        demand: { kind: 'enrollment', factors: ['riddle', 'key'] },
      },
      {
        name: 'also of whoever has a backup alone',
        policy: 'required',
        set: ['backup'],
        demand: { kind: 'enrollment', factors: ['riddle', 'key'] },
      },
      {
        name: 'and of whoever has set one where they are required',
        policy: 'required',
        set: ['key'],
        demand: { kind: 'second_factor', factors: ['key'] },
      },
    ];
    for (const { name, policy = 'optional', set, demand } of rows) {
      test(name, async () => {
        const bench = await withBob({ secondFactorPolicy: policy });
        for (const each of set) bench[each].setBy.add(bench.bob.id);
        for (const factor of ['password', 'email'] as const) {
          const login = await enter(bench, factor);
          assert.deepEqual(login.pending?.requirement, demand);
          assert.equal(login.token === undefined, demand !== undefined);
        }
        const byKey = await enter(bench, 'passkey');
        assert.ok(byKey.token !== undefined && byKey.pending === undefined, 'a passkey is two by itself');
      });
    }
  });

  test('a first factor is not spent for an account that nobody has confirmed, or that is gone', async () => {
    const bench = await withBob({ emailConfirmation: true });
    const { auth, database, bob } = bench;
    let spent = 0;
    const given = { factor: 'email', consume: async () => (spent += 1) > 0 } as const;
    const come = (): Promise<Login | undefined> => auth.identity.signIn.enter(bob, given, source);
    assert.equal(await come(), undefined);
    assert.equal(spent, 0);
    await updateVerified(database, bob.id, 1);
    assert.ok((await come())?.token);
    assert.equal(spent, 1);
    assert.deepEqual(await recorded(bench, 'authn_login_fail'), [
      'failure first_factor_refused factor=email user',
    ]);
    await auth.removeUser(bob.id);
    assert.equal(await come(), undefined);
    assert.equal(spent, 1);
  });

  describe('are not asked for on a device that is remembered', () => {
    /** Bob gives both factors, and wishes that the device is remembered. */
    async function remember(bench: Bench, from: ClientSource = source): Promise<Login> {
      const { auth, riddle, bob } = bench;
      riddle.setBy.add(bob.id);
      const pending = await pendingOf(auth, await enter(bench, 'password', from));
      const given = { factor: 'riddle', proof: 'riddle', remembersDevice: true };
      return (await auth.identity.signIn.complete(pending, given, from)).login;
    }

    for (const knownDeviceDays of [0, 30])
      test(`for as long as the operator says, where devices are known for ${knownDeviceDays} days`, async () => {
        const bench = await withBob({ knownDeviceDays, rememberedDeviceDays: 2 });
        const { auth, bob, clock } = bench;
        const { deviceToken } = await remember(bench, { ...source, device: 'x'.repeat(600) });
        assert.ok(deviceToken);
        const [device, ...others] = await auth.identity.devices.listRemembered(bob.id);
        assert.deepEqual([device?.user_agent, others], ['x'.repeat(500), []]);
        const from = { ...source, deviceToken };
        assert.ok((await enter(bench, 'password', from)).token);
        assert.equal((await enter(bench)).token, undefined, 'on another one');
        clock.advance(2 * dayMs);
        assert.equal((await enter(bench, 'password', from)).token, undefined);
      });

    test('but that was forgotten while the password was verified', async () => {
      const bench = await withBob({ rememberedDeviceDays: 2 });
      const { auth, database, bob } = bench;
      const { deviceToken } = await remember(bench);
      const user = await findUserById(database, bob.id);
      assert.ok(user);
      const signInContext = await auth.identity.signIn.signInContextOf(user, { ...source, deviceToken });
      await database.transaction((tx) => auth.identity.devices.forgetRemembered(tx, bob.id));
      const login = await database.transaction((tx) =>
        auth.identity.signIn.admit(tx, user, 'password', signInContext),
      );
      assert.equal(login?.pending?.requirement.kind, 'second_factor');
    });

    test('which may be one that was known before', async () => {
      const bench = await withBob({ knownDeviceDays: 30, rememberedDeviceDays: 2 });
      const { deviceToken } = await enter(bench);
      const from = { ...source, deviceToken };
      assert.equal((await remember(bench, from)).deviceToken, undefined, 'it keeps its token');
      assert.ok((await enter(bench, 'password', from)).token);
    });

    test('but to set one up, where one is required', async () => {
      const bench = await withBob({ secondFactorPolicy: 'required', rememberedDeviceDays: 2 });
      const { deviceToken } = await remember(bench);
      bench.riddle.setBy.clear();
      const { pending } = await enter(bench, 'password', { ...source, deviceToken });
      assert.equal(pending?.requirement.kind, 'enrollment');
    });

    test('and no more once the operator does not allow it', async () => {
      const bench = await withBob({ rememberedDeviceDays: 2 });
      const { deviceToken } = await remember(bench);
      const from = { ...source, deviceToken };
      const { riddle, key, backup } = bench;
      const { auth } = makeAuth({ secondFactors: [riddle, key, backup] });
      assert.ok((await enter(bench, 'password', from)).token);
      assert.equal((await enter({ ...bench, auth }, 'password', from)).token, undefined);
    });

    test('and none is where the operator does not allow it', async () => {
      const bench = await withBob();
      assert.equal((await remember(bench)).deviceToken, undefined);
      assert.deepEqual(await bench.auth.identity.devices.listRemembered(bench.bob.id), []);
    });
  });

  describe('that are given', () => {
    const right = { factor: 'riddle', proof: 'riddle' };
    const give = (
      auth: Auth,
      pending: PendingAuthentication,
      given = right,
    ): Promise<{ user: User; login: Login }> => auth.identity.signIn.complete(pending, given, source);

    test('open a session of both, once', async () => {
      const bench = await withBob();
      const { auth, riddle, bob, clock } = bench;
      riddle.setBy.add(bob.id);
      const half = await enter(bench, 'email');
      const pending = await pendingOf(auth, half);
      assert.deepEqual(
        [pending.userId, pending.kind, pending.factors],
        [bob.id, 'second_factor', [{ factor: 'email', at: clock.now() }]],
      );
      clock.advance(minuteMs);
      const { user, login } = await give(auth, pending);
      assert.deepEqual([user.id, login.pending], [bob.id, undefined]);
      assert.deepEqual(await factorsIn(bench), [['email', 'riddle']]);
      assert.deepEqual(riddle.occasions, [{ purpose: 'second_factor', subjectId: pending.id }]);
      assert.deepEqual(await recorded(bench, 'authn_login_success'), [
        'success signed_in factors=email,riddle user',
      ]);
      assert.equal(await auth.identity.signIn.findPending(half.pending?.token), undefined);
      await assert.rejects(give(auth, pending), refused('pending_authentication_required'));
      assert.equal((await factorsIn(bench)).length, 1);
    });

    test('wrong open nothing, are recorded, and count as their own factor’s', async () => {
      const bench = await withBob();
      const { auth, riddle, key, bob } = bench;
      for (const factor of [riddle, key]) factor.setBy.add(bob.id);
      const pending = await pendingOf(auth, await enter(bench));
      for (let i = 0; i < 5; i += 1)
        await assert.rejects(give(auth, pending, { ...right, proof: 'wrong' }), refused('factor_invalid'));
      await assert.rejects(give(auth, pending), refused('too_many_attempts'));
      assert.deepEqual(
        await recorded(bench, 'authn_login_fail'),
        Array.from({ length: 5 }, () => 'failure wrong_second_factor factor=riddle user'),
      );
      assert.deepEqual([await attemptsOf(bench, 'riddle'), await attemptsOf(bench, 'key')], [[5], []]);
      await give(auth, pending, { factor: 'key', proof: 'key' });
      assert.deepEqual(await attemptsOf(bench, 'riddle'), [5], 'a success of another factor forgets none');
    });

    test('right forget the wrong ones before', async () => {
      const bench = await withBob();
      const { auth, riddle, bob } = bench;
      riddle.setBy.add(bob.id);
      const pending = await pendingOf(auth, await enter(bench));
      await assert.rejects(give(auth, pending, { ...right, proof: 'wrong' }), refused('factor_invalid'));
      await give(auth, pending);
      assert.deepEqual(await attemptsOf(bench, 'riddle'), []);
    });

    test('that are unknown or not set up are refused without a try', async () => {
      const bench = await withBob();
      const { auth, riddle, bob } = bench;
      riddle.setBy.add(bob.id);
      const pending = await pendingOf(auth, await enter(bench));
      for (const factor of ['key', 'nonsense', 'password', ''])
        await assert.rejects(give(auth, pending, { factor, proof: factor }), refused('factor_invalid'));
      assert.deepEqual(riddle.occasions, []);
      assert.deepEqual(await recorded(bench, 'authn_login_fail'), []);
    });

    test('ask their own factor alone whether it is set up, and a backup one that it replaces', async () => {
      const bench = await withBob();
      const { auth, riddle, key, backup, bob } = bench;
      const factors = [riddle, key, backup];
      for (const factor of factors) factor.setBy.add(bob.id);
      const pending = await pendingOf(auth, await enter(bench));
      const askedFor = async (factor: string): Promise<number[]> => {
        for (const each of factors) each.asked = 0;
        await assert.rejects(give(auth, pending, { factor, proof: 'wrong' }), refused('factor_invalid'));
        return factors.map(({ asked }) => asked);
      };
      assert.deepEqual(await askedFor('key'), [0, 1, 0]);
      assert.deepEqual(await askedFor('backup'), [1, 0, 1]);
    });

    test('and spent in the moment between open nothing, and count', async () => {
      const bench = await withBob();
      const { auth, riddle, bob } = bench;
      riddle.setBy.add(bob.id);
      const pending = await pendingOf(auth, await enter(bench));
      riddle.isConsumed = true;
      await assert.rejects(give(auth, pending), refused('factor_invalid'));
      assert.deepEqual([await factorsIn(bench), await attemptsOf(bench, 'riddle')], [[], [1]]);
      riddle.isConsumed = false;
      assert.ok((await give(auth, pending)).login.token);
    });

    test('on a known device count apart from those of strangers', async () => {
      const bench = await withBob({ knownDeviceDays: 30 });
      const { auth, riddle, bob } = bench;
      const { deviceToken } = await enter(bench);
      assert.ok(deviceToken);
      riddle.setBy.add(bob.id);
      const pending = await pendingOf(auth, await enter(bench));
      for (let i = 0; i < 5; i += 1)
        await assert.rejects(give(auth, pending, { ...right, proof: 'wrong' }), refused('factor_invalid'));
      await assert.rejects(give(auth, pending), refused('too_many_attempts'));
      const known = await auth.identity.signIn.complete(pending, right, { ...source, deviceToken });
      assert.deepEqual([typeof known.login.token, known.login.deviceToken], ['string', undefined]);
    });

    test('to a login that must set one up first open nothing', async () => {
      const bench = await withBob({ secondFactorPolicy: 'required' });
      const pending = await pendingOf(bench.auth, await enter(bench));
      bench.riddle.setBy.add(bench.bob.id);
      await assert.rejects(give(bench.auth, pending), refused('pending_authentication_required'));
    });

    const ends: Record<string, (bench: Bench) => Promise<unknown>> = {
      'when ten minutes are over': async ({ clock }) => clock.advance(10 * minuteMs),
      'when the user is removed': ({ auth, bob }) => auth.removeUser(bob.id),
      'when the user is disabled': ({ auth, bob }) => auth.setDisabled(bob.id, true),
      'when the password is another': ({ auth }) => auth.setPassword(email, 'another'),
      'when a program stored another hash': ({ db, bob }) => db.updateUser(bob.id, { hashedPassword: 'x' }),
    };
    for (const [when, end] of Object.entries(ends)) {
      test(`${when} open nothing any more`, async () => {
        const bench = await withBob();
        const { auth, riddle, bob } = bench;
        riddle.setBy.add(bob.id);
        const pending = await pendingOf(auth, await enter(bench));
        await end(bench);
        await assert.rejects(give(auth, pending), refused('pending_authentication_required'));
        assert.deepEqual(await factorsIn(bench), []);
      });
    }

    test('are awaited for ten minutes, to the millisecond, and purged then', async () => {
      const bench = await withBob();
      const { auth, riddle, bob, clock } = bench;
      riddle.setBy.add(bob.id);
      const { pending } = await enter(bench);
      clock.advance(10 * minuteMs - 1);
      const later = await enter(bench);
      assert.equal(await auth.purge(), 0);
      assert.ok(await auth.identity.signIn.findPending(pending?.token));
      clock.advance(1);
      assert.equal(await auth.identity.signIn.findPending(pending?.token), undefined);
      assert.equal(await auth.purge(), 1);
      assert.ok(await auth.identity.signIn.findPending(later.pending?.token));
    });

    test('are awaited of nobody whose first factor no longer counts', async () => {
      const bench = await withBob();
      const { auth, database, riddle, bob } = bench;
      riddle.setBy.add(bob.id);
      const signInContext = await auth.identity.signIn.signInContextOf(bob, source);
      const admit = (): Promise<Login | undefined> =>
        database.transaction((tx) => auth.identity.signIn.admit(tx, bob, 'password', signInContext));
      assert.ok(await admit());
      await auth.setDisabled(bob.id, true);
      assert.equal(await admit(), undefined, 'disabled');
      await auth.setDisabled(bob.id, false);
      await auth.setPassword(email, 'another');
      assert.equal(await admit(), undefined, 'the password that was verified is another');
    });

    test('belong to the token of their login, with its own secret', async () => {
      const bench = await withBob();
      const { auth, riddle, bob } = bench;
      riddle.setBy.add(bob.id);
      const [one, other] = [await enter(bench), await enter(bench)];
      const text = one.pending?.token ?? '';
      const strangers = [
        undefined,
        '',
        text.slice(0, 36),
        text.slice(0, 37) + (other.pending?.token ?? '').slice(37),
        createToken(pendingAuthenticationKind).token,
        text.replace('.pnd_', '.ses_'),
      ];
      for (const stranger of strangers)
        assert.equal(await auth.identity.signIn.findPending(stranger), undefined);
      assert.equal((await auth.identity.signIn.findPending(text))?.id, text.slice(0, 36));
    });
  });

  describe('once more before what is dangerous', () => {
    const stepUpFor =
      (...factors: string[]) =>
      (error: unknown): boolean => {
        assert.ok(isProblem(error, 'step_up_required'));
        assert.deepEqual(error.demand, { factors, maxAgeSeconds: 600 });
        return true;
      };

    test('without one any factor of the last ten minutes will do, to the millisecond', async () => {
      const bench = await withBob();
      const { auth, clock } = bench;
      for (const factor of ['password', 'email'] as const) {
        const current = await session(auth, await enter(bench, factor));
        clock.advance(10 * minuteMs - 1);
        await auth.identity.stepUp.requireRecent(current);
        clock.advance(1);
        await assert.rejects(auth.identity.stepUp.requireRecent(current), stepUpFor('password'));
        await auth.identity.stepUp.requireRecentSecond(current);
      }
    });

    test('with one it must be that one', async () => {
      const bench = await withBob();
      const { auth, clock, riddle, backup, bob } = bench;
      const byPassword = await session(auth, await enter(bench));
      const both = await bothIn(bench);
      backup.setBy.add(bob.id);
      for (const require of [
        (one: Session) => auth.identity.stepUp.requireRecent(one),
        (one: Session) => auth.identity.stepUp.requireRecentSecond(one),
        async (one: Session) => void (await auth.identity.stepUp.requirePassword(one, password, source)),
      ]) {
        await require(both);
        await assert.rejects(require(byPassword), stepUpFor('riddle', 'backup'));
      }
      clock.advance(10 * minuteMs);
      await assert.rejects(auth.identity.stepUp.requireRecentSecond(both), stepUpFor('riddle', 'backup'));
      riddle.setBy.clear();
      await auth.identity.stepUp.requireRecentSecond(both);
    });

    test('an account without a password is asked for a mail, and none with one passes without it', async () => {
      const bench = await withBob();
      const { auth, database, clock, bob } = bench;
      const current = await session(auth, await enter(bench));
      await assert.rejects(
        auth.identity.stepUp.requirePassword(current, undefined, source),
        (error) =>
          isProblem(error, 'invalid_request') &&
          error.fields[0]?.field === 'password' &&
          error.fields[0].message === 'is missing',
      );
      await assert.rejects(
        auth.identity.stepUp.requirePassword(current, 'wrong', source),
        refused('password_wrong'),
      );
      assert.equal((await auth.identity.stepUp.requirePassword(current, password, source)).id, bob.id);
      await database.execute('update users set hashed_password = null');
      assert.equal((await auth.identity.stepUp.requirePassword(current, undefined, source)).id, bob.id);
      clock.advance(10 * minuteMs);
      await assert.rejects(
        auth.identity.stepUp.requirePassword(current, undefined, source),
        stepUpFor('email'),
      );
    });

    test('give the session another token and the factor, of each the latest use', async () => {
      const bench = await withBob();
      const { auth, riddle, clock, bob } = bench;
      riddle.setBy.add(bob.id);
      let token = await auth.createSession(email);
      for (const factor of ['password', 'riddle', 'password']) {
        clock.advance(minuteMs);
        const before = await session(auth, { token });
        const proof = factor === 'password' ? password : factor;
        const next = await auth.identity.stepUp.give(before, { factor, proof }, source);
        assert.equal(await auth.getSession(token), undefined, 'the old token is dead');
        if (factor === 'riddle')
          assert.deepEqual(riddle.occasions, [{ purpose: 'step_up', subjectId: before.id }]);
        token = next;
      }
      const [only, ...others] = await auth.listSessions(bob.id, 10);
      assert.deepEqual(others, []);
      assert.deepEqual(parseFactors(only?.factors ?? ''), [
        { factor: 'riddle', at: clock.now() - minuteMs },
        { factor: 'password', at: clock.now() },
      ]);
      assert.deepEqual(await recorded(bench, 'authn_login_success'), [
        'success stepped_up factor=password user',
        'success stepped_up factor=password user',
        'success stepped_up factor=riddle user',
      ]);
      assert.deepEqual(await attemptsOf(bench, 'riddle'), []);
    });

    test('and nobody passes whose account is gone', async () => {
      const bench = await withBob();
      const current = await session(bench.auth, await enter(bench));
      await bench.auth.removeUser(bench.bob.id);
      await assert.rejects(bench.auth.identity.stepUp.requireRecent(current), stepUpFor('email'));
    });

    test('wrong, unknown, spent, or for a session that is over change nothing', async () => {
      const bench = await withBob();
      const { auth, riddle, bob } = bench;
      const token = await auth.createSession(email);
      const current = await session(auth, { token });
      const give = (factor: string, proof: string): Promise<string> =>
        auth.identity.stepUp.give(current, { factor, proof }, source);
      await assert.rejects(give('riddle', 'riddle'), refused('factor_invalid'), 'not set up');
      riddle.setBy.add(bob.id);
      await assert.rejects(give('riddle', 'wrong'), refused('factor_invalid'));
      await assert.rejects(give('password', 'wrong'), refused('password_wrong'));
      riddle.isConsumed = true;
      await assert.rejects(give('riddle', 'riddle'), refused('factor_invalid'));
      riddle.isConsumed = false;
      assert.ok(await auth.getSession(token));
      assert.deepEqual(await factorsIn(bench), [[]]);
      await auth.endSession(current.id);
      for (const factor of ['riddle', 'password'])
        await assert.rejects(
          give(factor, factor === 'riddle' ? factor : password),
          refused('session_required'),
        );
      assert.deepEqual(await recorded(bench, 'authn_login_success'), []);
      await auth.removeUser(bob.id);
      await assert.rejects(give('riddle', 'riddle'), refused('session_required'));
      await assert.rejects(
        auth.identity.stepUp.requirePassword(current, password, source),
        refused('session_required'),
      );
    });

    test('on a known device count apart from those of strangers', async () => {
      const bench = await withBob({ knownDeviceDays: 30 });
      const { auth, riddle, bob } = bench;
      const { deviceToken, token } = await enter(bench);
      riddle.setBy.add(bob.id);
      const current = await session(auth, { token });
      const given = { factor: 'riddle', proof: 'riddle' };
      for (let i = 0; i < 5; i += 1)
        await assert.rejects(
          auth.identity.stepUp.give(current, { ...given, proof: 'wrong' }, source),
          refused('factor_invalid'),
        );
      await assert.rejects(auth.identity.stepUp.give(current, given, source), refused('too_many_attempts'));
      assert.ok(await auth.identity.stepUp.give(current, given, { ...source, deviceToken }));
    });
  });

  for (const { title, emailConfirmation, isConfirmed, hasPassword, isKept } of [
    {
      title: 'of a confirmed account',
      emailConfirmation: true,
      isConfirmed: true,
      hasPassword: false,
      isKept: true,
    },
    {
      title: 'beside a password',
      emailConfirmation: true,
      isConfirmed: false,
      hasPassword: true,
      isKept: true,
    },
    {
      title: 'where none confirms',
      emailConfirmation: false,
      isConfirmed: false,
      hasPassword: false,
      isKept: true,
    },
    {
      title: 'by which a stranger made the account are gone',
      emailConfirmation: true,
      isConfirmed: false,
      hasPassword: false,
      isKept: false,
    },
  ])
    test(`${title}${isKept ? ' stay' : ''} after a reset by mail`, async () => {
      const { auth, database, clock, riddle, bob } = await withBob({ emailConfirmation });
      riddle.setBy.add(bob.id);
      await database.query((sql) =>
        sql
          .updateTable('users')
          .set({
            email_verified_at: isConfirmed ? clock.now() : null,
            hashed_password: hasPassword ? bob.hashedPassword : null,
          })
          .where('id', '=', bob.id),
      );
      await auth.updatePassword(await auth.getResetPasswordToken(email), 'another');
      assert.equal(riddle.setBy.has(bob.id), isKept);
    });

  describe('are changed', () => {
    const add = (riddle: Riddle) => ({
      factor: 'riddle',
      work: async (_tx: Database, user: User) => {
        riddle.setBy.add(user.id);
        return 'added';
      },
    });
    const remove = ({ riddle }: Bench) => ({
      factor: 'riddle',
      action: 'removed' as const,
      work: async (tx: Database, user: User) => riddle.removeAll(tx, user.id),
    });

    test('by whoever has just proved it: the session goes on under another token, the others end', async () => {
      const bench = await withBob();
      const { auth, riddle, bob } = bench;
      await auth.registerUser('eve@example.org', password);
      const eves = await auth.createSession('eve@example.org');
      const [first, other] = [await enter(bench), await enter(bench)];
      const subject = { session: await session(auth, first) };
      const { result, login } = await auth.identity.enrollment.add(subject, add(riddle), source);
      assert.equal(result, 'added');
      assert.deepEqual([login?.deviceToken, login?.pending], [undefined, undefined]);
      for (const { token } of [first, other]) assert.equal(await auth.getSession(token), undefined);
      assert.equal((await auth.getSession(login?.token))?.userId, bob.id);
      assert.ok(await auth.getSession(eves));
      assert.deepEqual(await recorded(bench, 'user_updated'), [
        'success first_factor_added factor=riddle user',
      ]);
      const [mine] = await auth.listSessions(bob.id, 10);
      assert.deepEqual(
        parseFactors(mine?.factors ?? '').map(({ factor }) => factor),
        ['password', 'riddle'],
      );
    });

    test('which ends the logins that await one', async () => {
      const bench = await withBob();
      const { auth, riddle, key } = bench;
      const subject = { session: await bothIn(bench) };
      const half = await enter(bench);
      await auth.identity.enrollment.add(subject, { ...add(key), factor: 'key' }, source);
      assert.equal(await auth.identity.signIn.findPending(half.pending?.token), undefined);
      assert.deepEqual([riddle.setBy.size, key.setBy.size], [1, 1]);
    });

    test('by a login that must set one up first: it becomes a session of both', async () => {
      const bench = await withBob({ secondFactorPolicy: 'required' });
      const { auth, riddle } = bench;
      const pending = await pendingOf(auth, await enter(bench));
      const { login } = await auth.identity.enrollment.add({ pending }, add(riddle), source);
      assert.ok(await auth.getSession(login?.token));
      assert.deepEqual(await factorsIn(bench), [['password', 'riddle']]);
      await assert.rejects(
        auth.identity.enrollment.add({ pending }, add(riddle), source),
        refused('pending_authentication_required'),
      );
    });

    test('by nobody else', async () => {
      const bench = await withBob();
      const { auth, riddle, clock, bob } = bench;
      const subject = { session: await bothIn(bench) };
      const change = add(riddle);
      const pending = await pendingOf(auth, await enter(bench));
      await assert.rejects(auth.identity.enrollment.requireSubject({ pending }), refused('session_required'));
      await assert.rejects(
        auth.identity.enrollment.add({ pending }, change, source),
        refused('session_required'),
      );
      assert.equal((await auth.identity.enrollment.requireSubject(subject)).id, bob.id);
      clock.advance(10 * minuteMs);
      await assert.rejects(
        auth.identity.enrollment.add(subject, change, source),
        refused('step_up_required'),
      );
      await assert.rejects(auth.identity.enrollment.requireSubject(subject), refused('step_up_required'));
      assert.deepEqual(await recorded(bench, 'user_updated'), []);
    });

    test('for nobody who is disabled or removed', async () => {
      const bench = await withBob({ secondFactorPolicy: 'required' });
      const { auth, riddle, bob } = bench;
      const pending = await pendingOf(auth, await enter(bench));
      await auth.setDisabled(bob.id, true);
      await assert.rejects(auth.identity.enrollment.requireSubject({ pending }), refused('session_required'));
      await auth.setDisabled(bob.id, false);
      assert.ok(await auth.identity.enrollment.requireSubject({ pending }));
      await auth.removeUser(bob.id);
      await assert.rejects(auth.identity.enrollment.requireSubject({ pending }), refused('session_required'));
      await assert.rejects(
        auth.identity.enrollment.add({ pending }, add(riddle), source),
        refused('session_required'),
      );
    });

    const meanwhile: Record<string, (auth: Auth, userId: number) => Promise<unknown>> = {
      disabled: (auth, userId) => auth.setDisabled(userId, true),
      removed: (auth, userId) => auth.removeUser(userId),
    };
    for (const [end, work] of Object.entries(meanwhile)) {
      test(`for nobody who is ${end} in the moment after the subject was looked at`, async () => {
        const seen: { between?: Between } = {};
        const bench = await withBob({ through: (database) => (seen.between = new Between(database)) });
        const { auth, riddle, bob } = bench;
        const subject = { session: await session(auth, await enter(bench)) };
        assert.ok(seen.between);
        seen.between.before = () => work(makeAuth().auth, bob.id);
        await assert.rejects(
          auth.identity.enrollment.add(subject, add(riddle), source),
          refused('session_required'),
        );
        assert.equal(riddle.setBy.size, 0);
      });
    }

    test('and added to an account that would have no other way in', async () => {
      const bench = await withBob();
      const { auth, database, riddle } = bench;
      const subject = { session: await session(auth, await enter(bench, 'email')) };
      await database.execute('update users set hashed_password = null');
      assert.ok((await auth.identity.enrollment.add(subject, add(riddle), source)).login?.token);
    });

    test('and taken away without an end to the session', async () => {
      const bench = await withBob();
      const { auth, riddle, key, backup, bob } = bench;
      const subject = { session: await bothIn(bench) };
      backup.setBy.add(bob.id);
      await auth.identity.enrollment.change(subject, remove(bench), source);
      assert.deepEqual(key.removals, [], 'what somebody has only begun to set up stays');
      assert.deepEqual([riddle.setBy.size, backup.setBy.size], [0, 0], 'a backup of nothing goes too');
      assert.equal((await factorsIn(bench)).length, 1);
      assert.deepEqual(await recorded(bench, 'user_updated'), ['success factor_removed factor=riddle user']);
    });

    test('with a backup that stays while another is left', async () => {
      const bench = await withBob();
      const { auth, key, backup, bob } = bench;
      const subject = { session: await bothIn(bench) };
      for (const factor of [key, backup]) factor.setBy.add(bob.id);
      await auth.identity.enrollment.change(subject, remove(bench), source);
      assert.deepEqual([key.setBy.size, backup.setBy.size], [1, 1]);
    });

    test('and renewed without an end to any session', async () => {
      const bench = await withBob();
      const { auth, riddle } = bench;
      const subject = { session: await bothIn(bench) };
      await auth.identity.enrollment.change(subject, { ...add(riddle), action: 'replaced' }, source);
      assert.ok((await factorsIn(bench)).length === 1);
      assert.deepEqual(await recorded(bench, 'user_updated'), ['success factor_replaced factor=riddle user']);
    });

    test('and count their tries anew once they are replaced', async () => {
      const bench = await withBob();
      const { auth, riddle } = bench;
      const current = await bothIn(bench);
      const give = (proof: string): Promise<unknown> =>
        auth.identity.stepUp.give(current, { factor: 'riddle', proof }, source);
      for (let i = 0; i < 5; i += 1) await assert.rejects(give('wrong'), refused('factor_invalid'));
      await assert.rejects(give('riddle'), refused('too_many_attempts'));
      await auth.identity.enrollment.change(
        { session: current },
        { ...add(riddle), action: 'replaced' },
        source,
      );
      await assert.doesNotReject(give('riddle'));
    });

    test('never so that no way in is left', async () => {
      const none = 'update users set hashed_password = null';
      const rows: readonly {
        readonly name: string;
        readonly options?: Partial<AuthOptions>;
        readonly prepare?: (bench: Bench) => unknown;
        readonly passes: boolean;
      }[] = [
        { name: 'the password is left', passes: true },
        {
          name: 'the last where one is required',
          options: { secondFactorPolicy: 'required' },
          passes: false,
        },
        {
          name: 'not the last where one is required',
          options: { secondFactorPolicy: 'required' },
          prepare: ({ key, bob }) => key.setBy.add(bob.id),
          passes: true,
        },
        {
          name: 'no password',
          prepare: ({ database }) => database.execute(none),
          passes: false,
        },
        {
          name: 'no password, but mail signs in',
          options: { emailSignIn: true },
          prepare: ({ database }) => database.execute(none),
          passes: true,
        },
        {
          name: 'no password, but a factor that is a way in',
          prepare: ({ database, key, bob }) => {
            key.setBy.add(bob.id);
            return database.execute(none);
          },
          passes: true,
        },
        {
          name: 'no password, and another factor that is none',
          prepare: ({ database, backup, bob }) => {
            backup.setBy.add(bob.id);
            return database.execute(none);
          },
          passes: false,
        },
      ];
      for (const { name, options = {}, prepare, passes } of rows) {
        const bench = await withBob(options);
        const subject = { session: await bothIn(bench) };
        await prepare?.(bench);
        const changed = bench.auth.identity.enrollment.change(subject, remove(bench), source);
        if (passes) await assert.doesNotReject(changed, name);
        else await assert.rejects(changed, refused('last_factor'), name);
        assert.equal((await recorded(bench, 'user_updated')).length, passes ? 1 : 0, name);
        await bench.auth.removeUser(bench.bob.id);
      }
    });

    test('not in a session that ended meanwhile', async () => {
      const bench = await withBob();
      const { auth, riddle } = bench;
      const current = await session(auth, await enter(bench));
      const work = async (tx: Database): Promise<void> =>
        void (await tx.query((sql) => sql.deleteFrom('sessions').where('id', '=', current.id)));
      await assert.rejects(
        auth.identity.enrollment.add({ session: current }, { ...add(riddle), work }, source),
        refused('session_required'),
      );
      assert.ok((await factorsIn(bench)).length === 1, 'nothing of it happened');
    });

    test('all at once by the operator, which ends sessions and logins and forgets the tries', async () => {
      const bench = await withBob();
      const { auth, riddle, backup, bob } = bench;
      const operator = { actor: 'operator' } as const;
      const reset = (): Promise<boolean> => auth.identity.enrollment.reset(bob.id, operator);
      await auth.createSession(email);
      backup.setBy.add(bob.id);
      assert.equal(await reset(), false, 'a backup of nothing');
      riddle.setBy.add(bob.id + 1);
      assert.equal(await auth.identity.enrollment.reset(bob.id + 1, operator), false, 'nobody');
      riddle.setBy.clear();
      assert.deepEqual([(await factorsIn(bench)).length, backup.setBy.size], [1, 1]);
      riddle.setBy.add(bob.id);
      const half = await enter(bench);
      const pending = await pendingOf(auth, half);
      const wrong = { factor: 'riddle', proof: 'wrong' };
      await assert.rejects(auth.identity.signIn.complete(pending, wrong, source), refused('factor_invalid'));
      assert.equal(await reset(), true);
      assert.deepEqual([riddle.setBy.size, backup.setBy.size], [0, 0]);
      assert.deepEqual(await factorsIn(bench), []);
      assert.equal(await auth.identity.signIn.findPending(half.pending?.token), undefined);
      assert.deepEqual(await attemptsOf(bench, 'riddle'), []);
      assert.deepEqual(await recorded(bench, 'user_updated'), ['success factors_reset operator']);
      assert.equal(await reset(), false, 'a second time');
    });
  });

  describe('name the authentication methods of a session (RFC 8176 §2)', () => {
    const at = 1;
    const rows: Record<string, readonly string[]> = {
      '': [],
      password: ['pwd'],
      email: ['email'],
      'password totp': ['pwd', 'otp', 'mfa'],
      'password recovery_code': ['pwd', 'otp', 'mfa'],
      'totp recovery_code': ['otp', 'mfa'],
      passkey: ['pop', 'mfa'],
      'email passkey': ['email', 'pop', 'mfa'],
      'totp of_another_release': ['otp', 'of_another_release', 'mfa'],
    };
    for (const [names, methods] of Object.entries(rows)) {
      test(`${names || 'no factor'}: ${methods.join(', ') || 'none'}`, () => {
        const totp = new Riddle('totp', { amr: ['otp'] });
        const { auth } = makeAuth({ secondFactors: [totp, new Riddle('passkey', { amr: ['pop', 'mfa'] })] });
        const { secondFactors, plugged } = auth.identity;
        plugged.dormantFactors.push(new Riddle('recovery_code', { amr: ['otp'] }));
        const uses = names.split(' ').filter(Boolean);
        assert.deepEqual(secondFactors.methodsOf(uses.map((factor) => ({ factor, at }))), methods);
      });
    }
  });

  test('that are switched off are neither asked for nor a way in, but exported and removed', async () => {
    const bench = await withBob({ secondFactors: [] });
    const { auth, database, bob } = bench;
    const off = new Riddle('off', { isFirst: true });
    off.setBy.add(bob.id);
    const { secondFactors, plugged } = auth.identity;
    plugged.dormantFactors.push(off);
    assert.ok((await enter(bench)).token);
    assert.equal(await secondFactors.hasWayIn(database, bob.id), false);
    assert.equal(await secondFactors.hasNoFactor(database, bob.id), true);
    assert.deepEqual(await secondFactors.exportOf(database, bob.id), { off: { isSet: true } });
    await database.transaction((tx) => secondFactors.removeAll(tx, bob.id));
    assert.deepEqual(off.removals, [bob.id]);
  });
});

test('a session keeps the latest use of each factor', () => {
  const at = 1;
  const uses = ['password', 'totp'].map((factor) => ({ factor, at }));
  assert.deepEqual(withFactor(uses, { factor: 'password', at: 2 }), [
    { factor: 'totp', at: 1 },
    { factor: 'password', at: 2 },
  ]);
});
