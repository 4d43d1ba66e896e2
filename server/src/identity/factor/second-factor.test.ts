// Tests the rules of second factors on the core alone, with a factor of the test. The journeys test the real factors.
import assert from 'node:assert/strict';
import { anyHash } from '../../../test/support/hashing.ts';
import { describe, test } from 'node:test';
import { onEachEngine } from '../../../test/support/engines.ts';
import { listIf } from '../../../test/support/feature.ts';
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
import type { FactorPurpose, GivenFactor, SecondFactor, VerifiedOutput } from './factor.ts';
import { parseFactors, withFactor, type FactorType } from './factor-use.ts';
import type { Session } from '../session/session-entry.ts';

const email = 'bob@example.org';
const password = 'b4l0u';
const source = { actor: 'user' } as const;

/** A factor whose only valid output is its own name. */
class Riddle implements SecondFactor {
  readonly name: string;
  readonly isBackup: boolean;
  readonly amr: readonly string[];
  readonly type: FactorType;
  readonly #isFirst: boolean;
  readonly setBy = new Set<number>();
  readonly purposes: FactorPurpose[] = [];
  readonly removals: number[] = [];
  /** Number of calls of isEnrolled. */
  asked = 0;
  /** True if a concurrent request consumes the output first. */
  isConsumed = false;

  constructor(
    name: string,
    {
      isBackup = false,
      isFirst = false,
      amr = [name],
      type = 'possession',
    }: { isBackup?: boolean; isFirst?: boolean; amr?: string[]; type?: FactorType } = {},
  ) {
    this.name = name;
    this.amr = amr;
    this.type = type;
    this.isBackup = isBackup;
    this.#isFirst = isFirst;
  }

  async isEnrolled(_db: Database, userId: number): Promise<boolean> {
    this.asked += 1;
    return this.setBy.has(userId);
  }

  async isWayIn(db: Database, userId: number): Promise<boolean> {
    return this.#isFirst && this.isEnrolled(db, userId);
  }

  async exportOf(_db: Database, userId: number): Promise<object> {
    return { isEnrolled: this.setBy.has(userId) };
  }

  async check(_user: User, output: string, purpose: FactorPurpose): Promise<VerifiedOutput | undefined> {
    this.purposes.push(purpose);
    return output === this.name ? { consume: async () => !this.isConsumed } : undefined;
  }

  async removeAll(_tx: Database, userId: number): Promise<void> {
    this.removals.push(userId);
    this.setBy.delete(userId);
  }
}

/** A database that runs `before` just before the next transaction. */
class Between extends Recorder {
  before: (() => Promise<unknown>) | undefined;

  override async transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    const { before } = this;
    this.before = undefined;
    await before?.();
    return super.transaction(work);
  }
}

/** Matches a problem with this code. */
const refused =
  (code: ProblemCode) =>
  (error: unknown): error is Problem =>
    isProblem(error, code);

interface Bench extends AuthUnderTest {
  readonly bob: User;
  readonly riddle: Riddle;
  /** A factor that signs in by itself. */
  readonly key: Riddle;
  readonly backup: Riddle;
}

onEachEngine('second factors', (engine) => {
  const makeAuth = useAuth(engine);

  /** The core with three kinds of factor, and Bob, who has enrolled none. */
  async function withBob(options: AuthTestOptions = {}): Promise<Bench> {
    const riddle = new Riddle('riddle');
    const key = new Riddle('key', { isFirst: true });
    const backup = new Riddle('backup', { isBackup: true });
    const made = makeAuth({ secondFactors: [riddle, key, backup], ...options });
    return { ...made, riddle, key, backup, bob: await made.auth.registerUser(email, password) };
  }

  /** Signs Bob in by a first factor. */
  async function enter(
    { auth, database, bob }: Bench,
    factor = 'password',
    from: ClientSource = source,
  ): Promise<Login> {
    const user = await findUserById(database, bob.id);
    assert.ok(user);
    const signInContext = await auth.identity.signIn.signInContextOf(user, from);
    const login = await database.transaction((tx) =>
      auth.identity.signIn.admit(
        tx,
        user,
        { factor, ...(factor === 'passkey' && { isMultiFactor: true }) },
        signInContext,
      ),
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

  /** Signs Bob in by password and riddle. */
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
    const sessions = await auth.listSessions('all', 10);
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

  describe('requirement of sign-in', () => {
    const rows: readonly {
      readonly name: string;
      readonly policy: AuthOptions['secondFactorPolicy'];
      readonly set: readonly ('riddle' | 'key' | 'backup')[];
      readonly requirement: { kind: string; factors: readonly string[] } | undefined;
    }[] = [
      { name: 'none if second factors are off', policy: 'off', set: ['riddle'], requirement: undefined },
      {
        name: 'none for a user without a second factor',
        policy: 'optional',
        set: [],
        requirement: undefined,
      },
      {
        name: 'none for a user who has only a backup',
        policy: 'optional',
        set: ['backup'],
        requirement: undefined,
      },
      {
        name: 'the enrolled factor',
        policy: 'optional',
        set: ['riddle'],
        requirement: { kind: 'second_factor', factors: ['riddle'] },
      },
      {
        name: 'each enrolled factor, and the backup last',
        policy: 'optional',
        set: ['backup', 'key', 'riddle'],
        requirement: { kind: 'second_factor', factors: ['riddle', 'key', 'backup'] },
      },
      {
        name: 'enrollment, if second factors are required and the user has none',
        policy: 'required',
        set: [],
        requirement: { kind: 'enrollment', factors: ['riddle', 'key'] },
      },
      {
        name: 'enrollment, if second factors are required and the user has only a backup',
        policy: 'required',
        set: ['backup'],
        requirement: { kind: 'enrollment', factors: ['riddle', 'key'] },
      },
      {
        name: 'the enrolled factor, if second factors are required',
        policy: 'required',
        set: ['key'],
        requirement: { kind: 'second_factor', factors: ['key'] },
      },
    ];
    for (const { name, policy = 'optional', set, requirement } of rows) {
      test(name, async () => {
        const bench = await withBob({ secondFactorPolicy: policy });
        for (const each of set) bench[each].setBy.add(bench.bob.id);
        for (const factor of ['password', 'email'] as const) {
          const login = await enter(bench, factor);
          assert.deepEqual(login.pending?.requirement, requirement);
          assert.equal(login.token === undefined, requirement !== undefined);
        }
        const byKey = await enter(bench, 'passkey');
        assert.ok(
          byKey.token !== undefined && byKey.pending === undefined,
          'a passkey is two factors by itself',
        );
      });
    }
  });

  test('a first factor is not consumed for an unconfirmed or removed account', async () => {
    const bench = await withBob({ emailConfirmation: true });
    const { auth, database, bob } = bench;
    let consumed = 0;
    const given = { factor: 'email', consume: async () => (consumed += 1) > 0 } as const;
    const signIn = (): Promise<Login | undefined> => auth.identity.signIn.enter(bob, given, source);
    assert.equal(await signIn(), undefined);
    assert.equal(consumed, 0);
    await updateVerified(database, bob.id, 1);
    assert.ok((await signIn())?.token);
    assert.equal(consumed, 1);
    assert.deepEqual(await recorded(bench, 'authn_login_fail'), [
      'failure first_factor_refused factor=email user',
    ]);
    await auth.removeUser(bob.id);
    assert.equal(await signIn(), undefined);
    assert.equal(consumed, 1);
  });

  describe('a remembered device', () => {
    /** Signs Bob in by both factors and remembers the device. */
    async function remember(bench: Bench, from: ClientSource = source): Promise<Login> {
      const { auth, riddle, bob } = bench;
      riddle.setBy.add(bob.id);
      const pending = await pendingOf(auth, await enter(bench, 'password', from));
      const given = { factor: 'riddle', proof: 'riddle', remembersDevice: true };
      return (await auth.identity.signIn.complete(pending, given, from)).login;
    }

    for (const knownDeviceDays of [0, 30])
      test(`needs no second factor for the configured time, if devices are known for ${knownDeviceDays} days`, async () => {
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

    test('needs a second factor if it was forgotten while the password was verified', async () => {
      const bench = await withBob({ rememberedDeviceDays: 2 });
      const { auth, database, bob } = bench;
      const { deviceToken } = await remember(bench);
      const user = await findUserById(database, bob.id);
      assert.ok(user);
      const signInContext = await auth.identity.signIn.signInContextOf(user, { ...source, deviceToken });
      await database.transaction((tx) => auth.identity.devices.forgetRemembered(tx, bob.id));
      const login = await database.transaction((tx) =>
        auth.identity.signIn.admit(tx, user, { factor: 'password' }, signInContext),
      );
      assert.equal(login?.pending?.requirement.kind, 'second_factor');
    });

    test('may have been known before it was remembered', async () => {
      const bench = await withBob({ knownDeviceDays: 30, rememberedDeviceDays: 2 });
      const { deviceToken } = await enter(bench);
      const from = { ...source, deviceToken };
      assert.equal((await remember(bench, from)).deviceToken, undefined, 'it keeps its token');
      assert.ok((await enter(bench, 'password', from)).token);
    });

    test('does not replace the enrollment of a required second factor', async () => {
      const bench = await withBob({ secondFactorPolicy: 'required', rememberedDeviceDays: 2 });
      const { deviceToken } = await remember(bench);
      bench.riddle.setBy.clear();
      const { pending } = await enter(bench, 'password', { ...source, deviceToken });
      assert.equal(pending?.requirement.kind, 'enrollment');
    });

    test('needs a second factor once the operator has disabled remembered devices', async () => {
      const bench = await withBob({ rememberedDeviceDays: 2 });
      const { deviceToken } = await remember(bench);
      const from = { ...source, deviceToken };
      const { riddle, key, backup } = bench;
      const { auth } = makeAuth({ secondFactors: [riddle, key, backup] });
      assert.ok((await enter(bench, 'password', from)).token);
      assert.equal((await enter({ ...bench, auth }, 'password', from)).token, undefined);
    });

    test('is not remembered if the operator does not allow it', async () => {
      const bench = await withBob();
      assert.equal((await remember(bench)).deviceToken, undefined);
      assert.deepEqual(await bench.auth.identity.devices.listRemembered(bench.bob.id), []);
    });
  });

  describe('verification of a second factor', () => {
    const right = { factor: 'riddle', proof: 'riddle' };
    const give = (
      auth: Auth,
      pending: PendingAuthentication,
      given = right,
    ): Promise<{ user: User; login: Login }> => auth.identity.signIn.complete(pending, given, source);

    test('opens one session with both factors', async () => {
      const bench = await withBob();
      const { auth, riddle, bob, clock } = bench;
      riddle.setBy.add(bob.id);
      const first = await enter(bench, 'email');
      const pending = await pendingOf(auth, first);
      assert.deepEqual(
        [pending.userId, pending.kind, pending.factors],
        [bob.id, 'second_factor', [{ factor: 'email', at: clock.now() }]],
      );
      clock.advance(minuteMs);
      const { user, login } = await give(auth, pending);
      assert.deepEqual([user.id, login.pending], [bob.id, undefined]);
      assert.deepEqual(await factorsIn(bench), [['email', 'riddle']]);
      assert.deepEqual(riddle.purposes, [{ purpose: 'second_factor', subjectId: pending.id }]);
      assert.deepEqual(await recorded(bench, 'authn_login_success'), [
        'success signed_in factors=email,riddle user',
      ]);
      assert.equal(await auth.identity.signIn.findPending(first.pending?.token), undefined);
      await assert.rejects(give(auth, pending), refused('pending_authentication_required'));
      assert.equal((await factorsIn(bench)).length, 1);
    });

    test('records a wrong output and counts it as an attempt of its factor', async () => {
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

    test('resets the counter after a success', async () => {
      const bench = await withBob();
      const { auth, riddle, bob } = bench;
      riddle.setBy.add(bob.id);
      const pending = await pendingOf(auth, await enter(bench));
      await assert.rejects(give(auth, pending, { ...right, proof: 'wrong' }), refused('factor_invalid'));
      await give(auth, pending);
      assert.deepEqual(await attemptsOf(bench, 'riddle'), []);
    });

    test('rejects a factor that is unknown or not enrolled, without counting an attempt', async () => {
      const bench = await withBob();
      const { auth, riddle, bob } = bench;
      riddle.setBy.add(bob.id);
      const pending = await pendingOf(auth, await enter(bench));
      for (const factor of ['key', 'nonsense', 'password', ''])
        await assert.rejects(give(auth, pending, { factor, proof: factor }), refused('factor_invalid'));
      assert.deepEqual(riddle.purposes, []);
      assert.deepEqual(await recorded(bench, 'authn_login_fail'), []);
    });

    test('reads only the state of the given factor, and for a backup of those it replaces', async () => {
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

    test('rejects and counts an output that a concurrent request consumed', async () => {
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

    test('counts attempts on a known device separately', async () => {
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

    test('rejects a factor for a login that must enroll one', async () => {
      const bench = await withBob({ secondFactorPolicy: 'required' });
      const pending = await pendingOf(bench.auth, await enter(bench));
      bench.riddle.setBy.add(bench.bob.id);
      await assert.rejects(give(bench.auth, pending), refused('pending_authentication_required'));
    });

    const ends: Record<string, (bench: Bench) => Promise<unknown>> = {
      'after ten minutes': async ({ clock }) => clock.advance(10 * minuteMs),
      'after the user was removed': ({ auth, bob }) => auth.removeUser(bob.id),
      'after the user was disabled': ({ auth, bob }) => auth.setDisabled(bob.id, true),
      'after the password was changed': ({ auth }) => auth.setPassword(email, 'another'),
      'after a program stored another hash': ({ db, bob }) =>
        db.updateUser(bob.id, { hashedPassword: anyHash }),
    };
    for (const [when, end] of Object.entries(ends)) {
      test(`rejects a right output ${when}`, async () => {
        const bench = await withBob();
        const { auth, riddle, bob } = bench;
        riddle.setBy.add(bob.id);
        const pending = await pendingOf(auth, await enter(bench));
        await end(bench);
        await assert.rejects(give(auth, pending), refused('pending_authentication_required'));
        assert.deepEqual(await factorsIn(bench), []);
      });
    }

    test('is possible for exactly ten minutes; then the pending authentication is purged', async () => {
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

    test('has no pending authentication if the first factor is no longer valid', async () => {
      const bench = await withBob();
      const { auth, database, riddle, bob } = bench;
      riddle.setBy.add(bob.id);
      const signInContext = await auth.identity.signIn.signInContextOf(bob, source);
      const admit = (): Promise<Login | undefined> =>
        database.transaction((tx) =>
          auth.identity.signIn.admit(tx, bob, { factor: 'password' }, signInContext),
        );
      assert.ok(await admit());
      await auth.setDisabled(bob.id, true);
      assert.equal(await admit(), undefined, 'disabled');
      await auth.setDisabled(bob.id, false);
      await auth.setPassword(email, 'another');
      assert.equal(await admit(), undefined, 'the password that was verified is another');
    });

    test('requires the token of the pending authentication with its own secret', async () => {
      const bench = await withBob();
      const { auth, riddle, bob } = bench;
      riddle.setBy.add(bob.id);
      const [one, other] = [await enter(bench), await enter(bench)];
      const text = one.pending?.token ?? '';
      const invalidTokens = [
        undefined,
        '',
        text.slice(0, 36),
        text.slice(0, 37) + (other.pending?.token ?? '').slice(37),
        createToken(pendingAuthenticationKind).token,
        text.replace('.pnd_', '.ses_'),
      ];
      for (const token of invalidTokens)
        assert.equal(await auth.identity.signIn.findPending(token), undefined);
      assert.equal((await auth.identity.signIn.findPending(text))?.id, text.slice(0, 36));
    });
  });

  describe('step-up', () => {
    const stepUpFor =
      (...factors: string[]) =>
      (error: unknown): boolean => {
        assert.ok(isProblem(error, 'step_up_required'));
        assert.deepEqual(error.requirement, { factors, maxAgeSeconds: 600 });
        return true;
      };

    test('accepts any factor of the last ten minutes from a user without a second factor', async () => {
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

    test('requires the second factor of a user who has one', async () => {
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

    test('requires a mail for an account without a password, and the password otherwise', async () => {
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

    test('gives the session another token and the latest use of the factor', async () => {
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
          assert.deepEqual(riddle.purposes, [{ purpose: 'step_up', subjectId: before.id }]);
        token = next.token;
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

    test('rejects a removed account', async () => {
      const bench = await withBob();
      const current = await session(bench.auth, await enter(bench));
      await bench.auth.removeUser(bench.bob.id);
      await assert.rejects(bench.auth.identity.stepUp.requireRecent(current), stepUpFor('email'));
    });

    test('changes nothing for an output that is wrong, unknown or consumed, or if the session has ended', async () => {
      const bench = await withBob();
      const { auth, riddle, bob } = bench;
      const token = await auth.createSession(email);
      const current = await session(auth, { token });
      const give = (factor: string, proof: string): Promise<unknown> =>
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

    test('counts attempts on a known device separately', async () => {
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
      title: 'in addition to a password',
      emailConfirmation: true,
      isConfirmed: false,
      hasPassword: true,
      isKept: true,
    },
    {
      title: 'without email confirmation',
      emailConfirmation: false,
      isConfirmed: false,
      hasPassword: false,
      isKept: true,
    },
    {
      title: 'with which a stranger registered the account are removed',
      emailConfirmation: true,
      isConfirmed: false,
      hasPassword: false,
      isKept: false,
    },
  ])
    test(`second factors ${title}${isKept ? ' stay' : ''} after a reset by mail`, async () => {
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

  describe('enrollment', () => {
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

    test('adds a factor in a session with a recent factor, which gets another token; other sessions end', async () => {
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

    test('ends pending authentications when a factor is added', async () => {
      const bench = await withBob();
      const { auth, riddle, key } = bench;
      const subject = { session: await bothIn(bench) };
      const first = await enter(bench);
      await auth.identity.enrollment.add(subject, { ...add(key), factor: 'key' }, source);
      assert.equal(await auth.identity.signIn.findPending(first.pending?.token), undefined);
      assert.deepEqual([riddle.setBy.size, key.setBy.size], [1, 1]);
    });

    test('turns a login that must enroll a factor into a session with both factors', async () => {
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

    test('rejects other pending authentications, and sessions without a recent factor', async () => {
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

    test('rejects a disabled or removed user', async () => {
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

    const endings: Record<string, (auth: Auth, userId: number) => Promise<unknown>> = {
      disabled: (auth, userId) => auth.setDisabled(userId, true),
      removed: (auth, userId) => auth.removeUser(userId),
    };
    for (const [end, work] of Object.entries(endings)) {
      test(`rejects a user who is ${end} after the subject was checked`, async () => {
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

    test('adds a factor to an account without another way to sign in', async () => {
      const bench = await withBob();
      const { auth, database, riddle } = bench;
      const subject = { session: await session(auth, await enter(bench, 'email')) };
      await database.execute('update users set hashed_password = null');
      assert.ok((await auth.identity.enrollment.add(subject, add(riddle), source)).login?.token);
    });

    test('keeps the session when a factor is removed', async () => {
      const bench = await withBob();
      const { auth, riddle, key, backup, bob } = bench;
      const subject = { session: await bothIn(bench) };
      backup.setBy.add(bob.id);
      await auth.identity.enrollment.change(subject, remove(bench), source);
      assert.deepEqual(key.removals, [], 'an unfinished enrollment stays');
      assert.deepEqual([riddle.setBy.size, backup.setBy.size], [0, 0], 'the backup is removed too');
      assert.equal((await factorsIn(bench)).length, 1);
      assert.deepEqual(await recorded(bench, 'user_updated'), ['success factor_removed factor=riddle user']);
    });

    test('keeps the backup while another factor is left', async () => {
      const bench = await withBob();
      const { auth, key, backup, bob } = bench;
      const subject = { session: await bothIn(bench) };
      for (const factor of [key, backup]) factor.setBy.add(bob.id);
      await auth.identity.enrollment.change(subject, remove(bench), source);
      assert.deepEqual([key.setBy.size, backup.setBy.size], [1, 1]);
    });

    test('keeps all sessions when a factor is replaced', async () => {
      const bench = await withBob();
      const { auth, riddle } = bench;
      const subject = { session: await bothIn(bench) };
      await auth.identity.enrollment.change(subject, { ...add(riddle), action: 'replaced' }, source);
      assert.ok((await factorsIn(bench)).length === 1);
      assert.deepEqual(await recorded(bench, 'user_updated'), ['success factor_replaced factor=riddle user']);
    });

    test('resets the attempts of a replaced factor', async () => {
      const bench = await withBob();
      const { auth, riddle } = bench;
      const current = await bothIn(bench);
      const give = (proof: string, at = current): Promise<unknown> =>
        auth.identity.stepUp.give(at, { factor: 'riddle', proof }, source);
      for (let i = 0; i < 5; i += 1) await assert.rejects(give('wrong'), refused('factor_invalid'));
      await assert.rejects(give('riddle'), refused('too_many_attempts'));
      const { renewed } = await auth.identity.enrollment.change(
        { session: current },
        { ...add(riddle), action: 'replaced' },
        source,
      );
      await assert.doesNotReject(give('riddle', renewed));
    });

    test('never removes the last way to sign in', async () => {
      const none = 'update users set hashed_password = null';
      const rows: readonly {
        readonly name: string;
        readonly options?: Partial<AuthOptions>;
        readonly prepare?: (bench: Bench) => unknown;
        readonly passes: boolean;
      }[] = [
        { name: 'the password is left', passes: true },
        {
          name: 'the last one while they are required',
          options: { secondFactorPolicy: 'required' },
          passes: false,
        },
        {
          name: 'not the last one while they are required',
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
          name: 'no password, but a factor that signs in alone',
          prepare: ({ database, key, bob }) => {
            key.setBy.add(bob.id);
            return database.execute(none);
          },
          passes: true,
        },
        {
          name: 'no password, and another factor that does not sign in alone',
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

    for (const action of ['added', 'removed', 'replaced'] as const) {
      test(`rejects a session that ended while the request ran; no factor is ${action}`, async () => {
        const seen: { between?: Between } = {};
        const bench = await withBob({ through: (database) => (seen.between = new Between(database)) });
        const { auth, riddle, bob } = bench;
        const isAdded = action === 'added';
        const current = isAdded ? await session(auth, await enter(bench)) : await bothIn(bench);
        assert.ok(seen.between);
        seen.between.before = () => makeAuth().auth.endSession(current.id);
        const { enrollment } = auth.identity;
        const subject = { session: current };
        await assert.rejects(
          isAdded
            ? enrollment.add(subject, add(riddle), source)
            : enrollment.change(subject, { ...remove(bench), action }, source),
          refused('session_required'),
        );
        assert.equal(riddle.setBy.has(bob.id), !isAdded, 'nothing was changed');
      });
    }

    test('lets the operator remove all factors, which ends sessions and logins and resets attempts', async () => {
      const bench = await withBob();
      const { auth, riddle, backup, bob } = bench;
      const operator = { actor: 'operator' } as const;
      const reset = (): Promise<boolean> => auth.identity.enrollment.reset(bob.id, operator);
      await auth.createSession(email);
      riddle.setBy.add(bob.id + 1);
      assert.equal(await auth.identity.enrollment.reset(bob.id + 1, operator), false, 'no user');
      riddle.setBy.clear();
      assert.equal(await reset(), false, 'no factor');
      assert.deepEqual((await factorsIn(bench)).length, 1);
      backup.setBy.add(bob.id);
      riddle.setBy.add(bob.id);
      const first = await enter(bench);
      const pending = await pendingOf(auth, first);
      const wrong = { factor: 'riddle', proof: 'wrong' };
      await assert.rejects(auth.identity.signIn.complete(pending, wrong, source), refused('factor_invalid'));
      assert.equal(await reset(), true);
      assert.deepEqual([riddle.setBy.size, backup.setBy.size], [0, 0]);
      assert.deepEqual(await factorsIn(bench), []);
      assert.equal(await auth.identity.signIn.findPending(first.pending?.token), undefined);
      assert.deepEqual(await attemptsOf(bench, 'riddle'), []);
      assert.deepEqual(await recorded(bench, 'user_updated'), ['success factors_reset operator']);
      assert.equal(await reset(), false, 'a second time');
    });
  });

  describe('authentication methods of a session (RFC 8176 §2)', () => {
    /** Each way to give a factor, and what it proves; a passkey tells whether its device verified the user. */
    const ways: readonly { use: GivenFactor; amr: string; types: readonly string[] }[] = [
      { use: { factor: 'password' }, amr: 'pwd', types: ['knowledge'] },
      { use: { factor: 'email' }, amr: 'email', types: [] },
      ...listIf('totp', { use: { factor: 'totp' }, amr: 'otp', types: ['possession'] }),
      ...listIf('recovery-code', { use: { factor: 'recovery_code' }, amr: 'otp', types: ['possession'] }),
      ...listIf(
        'passkey',
        { use: { factor: 'passkey' }, amr: 'pop', types: ['possession'] },
        { use: { factor: 'passkey', isMultiFactor: true }, amr: 'pop', types: ['possession', 'inherence'] },
      ),
      { use: { factor: 'of_another_release' }, amr: 'of_another_release', types: [] },
    ];

    test('A46: every combination is multi-factor only if it proves two types of factor; email proves none', () => {
      const { auth } = makeAuth();
      const { secondFactors } = auth.identity;
      let multiFactor = 0;
      for (let chosen = 0; chosen < 2 ** ways.length; chosen += 1) {
        const given = ways.filter((_, i) => (chosen & (2 ** i)) !== 0);
        const types = new Set(given.flatMap(({ types: proved }) => proved));
        const amr = [...new Set(given.map((way) => way.amr))];
        const uses = given.map(({ use }) => ({ ...use, at: 1 }));
        const title = given.map(({ use }) => JSON.stringify(use)).join(' ');
        if (types.size > 1) multiFactor += 1;
        assert.deepEqual(
          secondFactors.methodsOf(uses),
          types.size > 1 ? [...amr, 'mfa'] : amr,
          title || 'no factor',
        );
      }
      assert.ok(multiFactor > 0 && multiFactor < 2 ** ways.length, `${multiFactor}`);
    });
  });

  for (const secondFactorPolicy of ['off', 'optional', 'required'] as const) {
    test(`disabled factors protect no sign-in, so another one is the first, while second factors are ${secondFactorPolicy}`, async () => {
      const key = new Riddle('key', { isFirst: true });
      const bench = await withBob({ secondFactors: [key], secondFactorPolicy });
      const { auth, database, bob } = bench;
      const { secondFactors, plugged } = auth.identity;
      const off = new Riddle('off', { isFirst: true });
      plugged.storedFactors.push(off);
      off.setBy.add(bob.id);
      assert.equal(await secondFactors.hasNoFactor(database, bob.id), true);
      key.setBy.add(bob.id);
      assert.equal(await secondFactors.hasNoFactor(database, bob.id), false);
    });
  }

  test('disabled factors are not required and do not sign in, but are exported, counted and removed', async () => {
    const bench = await withBob({ secondFactors: [] });
    const { auth, database, bob } = bench;
    const off = new Riddle('off', { isFirst: true });
    off.setBy.add(bob.id);
    const { secondFactors, plugged } = auth.identity;
    plugged.storedFactors.push(off);
    assert.ok((await enter(bench)).token);
    assert.equal(await secondFactors.hasWayIn(database, bob.id), false);
    assert.deepEqual((await secondFactors.exportOf(database, bob.id))['off'], { isEnrolled: true });
    assert.deepEqual(await secondFactors.storedOf(database, bob.id), ['off']);
    await database.transaction((tx) => secondFactors.removeAll(tx, bob.id));
    assert.deepEqual(off.removals, [bob.id]);
    assert.deepEqual(await secondFactors.storedOf(database, bob.id), []);
  });

  test('a backup stays while it replaces a disabled factor, and is removed with it, also if it is disabled too', async () => {
    const bench = await withBob({ secondFactors: [], secondFactorPolicy: 'off' });
    const { auth, database, bob } = bench;
    const { secondFactors, plugged } = auth.identity;
    const [off, backup] = [new Riddle('off'), new Riddle('spare', { isBackup: true })];
    plugged.storedFactors.push(off, backup);
    for (const factor of [off, backup]) factor.setBy.add(bob.id);
    await database.transaction((tx) => secondFactors.removeIdleBackups(tx, bob.id));
    assert.equal(backup.setBy.size, 1);
    off.setBy.clear();
    await database.transaction((tx) => secondFactors.removeIdleBackups(tx, bob.id));
    assert.equal(backup.setBy.size, 0);
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

test('a factor that proved several types by one use keeps that in a session', () => {
  const first = { factor: 'passkey', isMultiFactor: true, at: 1 };
  assert.deepEqual(withFactor([first], { factor: 'passkey', isMultiFactor: false, at: 2 }), [
    { factor: 'passkey', isMultiFactor: true, at: 2 },
  ]);
});
