// Tests the lifetime, storage, number and end of sessions.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { onEachEngine } from '../../../test/support/engines.ts';
import { Recorder } from '../../../test/support/recorder.ts';
import { anyHash, cheapHashing } from '../../../test/support/hashing.ts';
import { useAuth, type AuthUnderTest } from '../../../test/support/auth.ts';
import { reasonIn } from '../../../test/support/traces.ts';
import { Hasher, type PasswordMatch } from '../../hash/hasher.ts';
import { dayMs, hourMs, minuteMs } from '../../kit/clock.ts';
import { silentLog } from '../../kit/log.ts';
import { createToken } from '../../kit/secret.ts';
import { sessionKind } from '../cookie-kinds.ts';
import { updatePasswordHash } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { Auth } from '../../library/auth.ts';
import { sessionsOfUser } from './ending-store.ts';
import { listSessions } from './store.ts';

const email = 'bob@example.org';
const password = 'b4l0u';

/** A hasher that pauses after each verification until the test continues it. */
class PausedHasher extends Hasher {
  readonly verified = Promise.withResolvers<void>();
  readonly resume = Promise.withResolvers<void>();

  override async verify(...asked: Parameters<Hasher['verify']>): Promise<PasswordMatch> {
    const verification = await super.verify(...asked);
    this.verified.resolve();
    await this.resume.promise;
    return verification;
  }
}

async function newSession(auth: Auth): Promise<string> {
  const token = await auth.createSession(email);
  assert.ok(token !== undefined);
  return token;
}

/**
 * One more than a statement writes. In groups, because too many concurrent requests may wait too long for a connection.
 */
async function fiveHundredAndOne(auth: Auth): Promise<string[]> {
  const tokens = [await newSession(auth)];
  for (let group = 0; group < 10; group += 1)
    tokens.push(...(await Promise.all(Array.from({ length: 50 }, () => newSession(auth)))));
  return tokens;
}

async function isLive(auth: Auth, token: string): Promise<boolean> {
  return (await auth.getSession(token)) !== undefined;
}

/** Returns the stored last_seen_at of the user's sessions. */
async function seenAt({ database, bob, clock }: AuthUnderTest & { readonly bob: User }): Promise<number[]> {
  return (await listSessions(database, { userId: bob.id, now: clock.now(), seenSince: 0, limit: 2000 })).map(
    (row) => row.last_seen_at,
  );
}

onEachEngine('a session', (engine) => {
  const makeAuth = useAuth(engine);

  /** The core with Bob. */
  async function withBob(
    options?: Parameters<typeof makeAuth>[0],
  ): Promise<AuthUnderTest & { readonly bob: User }> {
    const made = makeAuth(options);
    return { ...made, bob: await made.db.addUser(email, anyHash) };
  }

  describe('lifetime', () => {
    test('has a handle, user, address and end', async () => {
      const { auth, clock, bob } = await withBob();
      const token = await newSession(auth);
      const { subject, ...session } = (await auth.getSession(token)) ?? assert.fail();
      assert.match(subject ?? '', /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/);
      assert.deepEqual(session, {
        id: token.slice(0, 36),
        userId: bob.id,
        email,
        name: null,
        expiresAt: clock.now() + 30 * dayMs,
        endsWithBrowser: false,
      });
    });

    test('ends after exactly seven days without a request', async () => {
      const { auth, clock } = await withBob();
      const token = await newSession(auth);
      clock.advance(7 * dayMs - 1);
      assert.equal(await isLive(auth, token), true);
      clock.advance(1);
      assert.equal(await isLive(auth, token), false);
    });

    test('is extended by every request, and ends after thirty days in any case', async () => {
      const { auth, clock } = await withBob();
      const token = await newSession(auth);
      for (let day = 6; day < 30; day += 6) {
        clock.advance(6 * dayMs);
        assert.equal(await isLive(auth, token), true, `day ${day}`);
        await auth.flushSeen();
      }
      clock.advance(6 * dayMs - 1);
      assert.equal(await isLive(auth, token), true);
      await auth.flushSeen();
      clock.advance(1);
      assert.equal(await isLive(auth, token), false);
    });

    test('has the configured lifetimes', async () => {
      const { auth, clock } = await withBob({ sessionDays: 2, sessionIdleDays: 1 });
      assert.equal(auth.identity.sessions.life.sessionMs, 2 * dayMs);
      const token = await newSession(auth);
      clock.advance(dayMs);
      assert.equal(await isLive(auth, token), false);
    });

    test('stays ended if the clock is set back after its idle end was noted', async () => {
      const { auth, clock } = await withBob();
      const token = await newSession(auth);
      clock.advance(8 * dayMs);
      assert.equal(await isLive(auth, token), false);
      await auth.flushSeen();
      clock.advance(-8 * dayMs);
      assert.equal(await isLive(auth, token), false);
    });

    test('ends when its user is removed or disabled', async () => {
      const { auth, audit, bob } = await withBob();
      const token = await newSession(auth);
      await auth.setDisabled(bob.id, true);
      assert.equal(await isLive(auth, token), false);
      assert.equal(await auth.createSession(email), undefined);
      const made = await audit.list({ event: 'session_created', limit: 10 });
      assert.equal(made.length, 1, 'of what is not made nothing is recorded');
      await auth.setDisabled(bob.id, false);
      assert.equal(await isLive(auth, token), false);
      const other = await newSession(auth);
      await auth.removeUser(bob.id);
      assert.equal(await isLive(auth, other), false);
    });

    test('can be ended by its handle one time', async () => {
      const { auth } = await withBob();
      const [token, other] = [await newSession(auth), await newSession(auth)];
      assert.equal(await auth.endSession(token.slice(0, 36)), true);
      assert.equal(await auth.endSession(token.slice(0, 36)), false);
      assert.deepEqual([await isLive(auth, token), await isLive(auth, other)], [false, true]);
    });
  });

  describe('token', () => {
    test('is not found with the right handle and another secret', async () => {
      const { auth } = await withBob();
      const [one, other] = [await newSession(auth), await newSession(auth)];
      assert.equal(await isLive(auth, one.slice(0, 37) + other.slice(37)), false);
      assert.equal(await isLive(auth, one.slice(0, 37) + createToken(sessionKind).token.slice(37)), false);
      assert.equal(await isLive(auth, one), true);
    });

    test('is not found by a live token of another kind', async () => {
      const { auth, db, bob } = await withBob();
      const reset = await auth.getResetPasswordToken(email);
      assert.equal(await isLive(auth, reset), false);
      assert.equal(await isLive(auth, reset.replace('.rst_', '.ses_')), false);
      // The row of a session whose token has the prefix of another kind.
      await db.updateUser(bob.id, { sessionId: reset });
      assert.equal(await isLive(auth, reset), false);
    });

    test('is stored only as a digest', async () => {
      const { auth, database } = await withBob();
      const token = await newSession(auth);
      const rows = await database.query((sql) => sql.selectFrom('sessions').selectAll());
      const stored = JSON.stringify(
        rows.map((row) => ({ ...row, secret_hash: Buffer.from(row.secret_hash).toString('latin1') })),
      );
      assert.equal(stored.includes(token.slice(41)), false);
    });
  });

  describe('the last use of a session', () => {
    test('is written at most every five minutes, so that most requests write nothing', async () => {
      const bench = await withBob();
      const { auth, clock } = bench;
      const token = await newSession(auth);
      const begin = clock.now();
      clock.advance(5 * minuteMs - 1);
      await auth.getSession(token);
      await auth.flushSeen();
      assert.deepEqual(await seenAt(bench), [begin]);
      clock.advance(1);
      await auth.getSession(token);
      await auth.flushSeen();
      assert.deepEqual(await seenAt(bench), [begin + 5 * minuteMs]);
    });

    test('never moves the instant back', async () => {
      const bench = await withBob();
      const { auth, clock } = bench;
      const token = await newSession(auth);
      clock.advance(hourMs);
      await auth.getSession(token);
      clock.advance(-2 * hourMs);
      await auth.flushSeen();
      assert.deepEqual(await seenAt(bench), [clock.now() + hourMs]);
    });

    test('is logged if it cannot be written, and written after the next request', async () => {
      const logged: unknown[][] = [];
      const log = { ...silentLog, warn: (...line: unknown[]) => void logged.push(line) };
      const fault = new Error('planted');
      let isBroken = true;
      class Breaking extends Recorder {
        override query: Recorder['query'] = async (build) => {
          if (isBroken) throw fault;
          return super.query(build);
        };
      }
      const bench = await withBob({ log, through: (database) => new Breaking(database) });
      const { auth, clock } = bench;
      const token = await newSession(auth);
      const begin = clock.now();
      clock.advance(hourMs);
      await auth.getSession(token);
      await auth.flushSeen();
      assert.deepEqual(logged, [[{ err: fault }, 'The last use of sessions was not saved']]);
      isBroken = false;
      await auth.flushSeen();
      assert.deepEqual(await seenAt(bench), [begin]);
      await auth.getSession(token);
      await auth.flushSeen();
      assert.deepEqual(await seenAt(bench), [clock.now()]);
      assert.equal(logged.length, 1);
    });

    test('is recorded one time if the session has expired', async () => {
      const bench = await withBob();
      const { auth, audit, clock, bob } = bench;
      const [idle, ended] = [await newSession(auth), await newSession(auth)];
      clock.advance(7 * dayMs);
      await auth.endSession(ended.slice(0, 36));
      for (let i = 0; i < 2; i += 1) {
        for (let j = 0; j < 2; j += 1)
          for (const token of [idle, ended]) assert.equal(await isLive(auth, token), false);
        await auth.flushSeen();
      }
      const events = await audit.list({ event: 'session_use_after_expire', limit: 10 });
      assert.deepEqual(
        events.map(({ outcome, userId, actor }) => [outcome, userId, actor]),
        [['failure', bob.id, 'anonymous']],
      );
    });

    test('records no expiry if the session was ended just before', async () => {
      const { auth, audit, clock } = await withBob();
      const token = await newSession(auth);
      clock.advance(7 * dayMs);
      assert.equal(await isLive(auth, token), false);
      await auth.endSession(token.slice(0, 36));
      await auth.flushSeen();
      assert.deepEqual(await audit.list({ event: 'session_use_after_expire', limit: 10 }), []);
    });

    test('is written when the service closes', async () => {
      const hasher = new Hasher(cheapHashing);
      const bench = await withBob({ hasher });
      const token = await newSession(bench.auth);
      bench.clock.advance(hourMs);
      await bench.auth.getSession(token);
      await bench.auth.close();
      assert.deepEqual(await seenAt(bench), [bench.clock.now()]);
    });
  });

  describe('the number of sessions of a user', () => {
    test('is limited: one more ends the oldest, but none of another user', async () => {
      const { auth, db, clock } = await withBob({ sessionsPerUser: 3 });
      await db.addUser('eve@example.org', anyHash);
      const eves = (await auth.createSession('eve@example.org')) ?? '';
      const tokens: string[] = [];
      for (let i = 0; i < 5; i += 1) {
        tokens.push(await newSession(auth));
        clock.advance(1);
      }
      const live = await Promise.all(tokens.map((token) => isLive(auth, token)));
      assert.deepEqual(live, [false, false, true, true, true]);
      assert.equal(await isLive(auth, eves), true);
    });

    test('never ends the new session, also if the clock was set back', async () => {
      const { auth, clock } = await withBob({ sessionsPerUser: 2 });
      for (let i = 0; i < 4; i += 1)
        assert.equal(await isLive(auth, await newSession(auth)), true, `login ${i}`);
      clock.advance(-hourMs);
      for (let i = 0; i < 4; i += 1)
        assert.equal(await isLive(auth, await newSession(auth)), true, `after the jump, ${i}`);
    });

    test('is limited also for twenty concurrent logins', async () => {
      const { auth } = await withBob({ sessionsPerUser: 3 });
      const tokens = await Promise.all(Array.from({ length: 20 }, () => newSession(auth)));
      const live = await Promise.all(tokens.map((token) => isLive(auth, token)));
      assert.equal(live.filter(Boolean).length, 3);
    });
  });

  describe('a list of sessions', () => {
    test('contains the live ones of one user or of all, newest first, up to the limit', async () => {
      const { auth, db, clock, bob } = await withBob();
      const eve = await db.addUser('eve@example.org', anyHash);
      const idOf = (token: string | undefined): string => token?.slice(0, 36) ?? '';
      await newSession(auth);
      clock.advance(6 * dayMs);
      const eves = idOf(await auth.createSession(eve.email));
      clock.advance(dayMs - 1);
      const newest = idOf(await newSession(auth));
      const list = async (userId: number | 'all', limit = 10): Promise<string[]> =>
        (await auth.listSessions(userId, limit)).map(({ id }) => id);
      assert.equal((await list('all')).length, 3);
      clock.advance(1);
      assert.deepEqual(await list('all'), [newest, eves], 'the first one is idle');
      assert.deepEqual(await list(bob.id), [newest]);
      assert.deepEqual(await list(eve.id), [eves]);
      assert.deepEqual(await list('all', 1), [newest]);
      clock.advance(30 * dayMs);
      assert.deepEqual(await list('all'), []);
    });

    test('contains no expired one, also if it was seen recently', async () => {
      const { auth, clock } = await withBob({ sessionDays: 1 });
      await newSession(auth);
      clock.advance(dayMs - 1);
      assert.equal((await auth.listSessions('all', 10)).length, 1);
      clock.advance(1);
      assert.deepEqual(await auth.listSessions('all', 10), []);
    });
  });

  describe('a session that its user ends', () => {
    const reasonsIn = async ({ audit }: AuthUnderTest): Promise<unknown[]> =>
      (await audit.list({ event: 'session_expired', limit: 10 })).map(
        ({ outcome, userId, actor, target, ...event }) => [
          reasonIn(event),
          outcome,
          userId,
          actor,
          target && `${target.kind} ${target.id}`,
        ],
      );

    test('is recorded with its reason; ending no session is not', async () => {
      const bench = await withBob();
      const { auth, database, bob } = bench;
      const source = { actor: 'user' } as const;
      const current = await auth.getSession(await newSession(auth));
      assert.ok(current);
      const recorded = async (): Promise<unknown[]> => {
        const reasons = await reasonsIn(bench);
        await database.execute('delete from audit_events');
        return reasons;
      };
      const entry = (reason: string, ended?: string): unknown[][] => [
        [reason, 'success', bob.id, 'user', ended === undefined ? null : `session ${ended}`],
      ];

      assert.equal(await auth.identity.sessions.endOthers(current, source), 0);
      assert.equal(await auth.identity.sessions.endOwn(current, crypto.randomUUID(), source), false);
      assert.equal(await auth.endSession(crypto.randomUUID(), source), false);
      await auth.destroySession(bob.id + 1, source);
      assert.deepEqual(await recorded(), []);

      const other = (await newSession(auth)).slice(0, 36);
      assert.equal(await auth.identity.sessions.endOwn(current, other, source), true);
      assert.deepEqual(await recorded(), entry('session_ended', other));
      for (let i = 0; i < 2; i += 1) await newSession(auth);
      assert.equal(await auth.identity.sessions.endOthers(current, source), 2);
      assert.deepEqual(await recorded(), entry('other_sessions_ended count=2'));
      assert.equal(await auth.endSession(current.id, source), true);
      assert.deepEqual(await recorded(), entry('session_ended', current.id));
      await newSession(auth);
      await auth.destroySession(bob.id, source);
      assert.deepEqual(await recorded(), entry('all_sessions_ended count=1'));
    });
  });

  test('stores five hundred characters of its user agent', async () => {
    const { auth, bob } = { ...makeAuth(), bob: await makeAuth().auth.registerUser(email, password) };
    for (const device of [undefined, 'x'.repeat(600)])
      assert.ok((await auth.logIn(email, password, { actor: 'anonymous', device }))?.token);
    const lengths = (await auth.listSessions(bob.id, 10)).map(({ device }) => device?.length);
    assert.deepEqual(new Set(lengths), new Set([undefined, 500]));
  });

  describe('a session while the password changes', () => {
    test('is not created if the password changes after the verification', async () => {
      const { auth } = makeAuth();
      await auth.registerUser(email, password);
      const reset = await auth.getResetPasswordToken(email);
      const hasher = new PausedHasher(cheapHashing);
      const login = makeAuth({ hasher }).auth.logIn(email, password);
      await hasher.verified.promise;
      await auth.updatePassword(reset, 'another');
      hasher.resume.resolve();
      assert.equal(await login, undefined);
      await hasher.close();
    });

    test('does not outlive a password that changes while it is created', async () => {
      const { auth, database, bob } = await withBob();
      const loggedIn = Promise.withResolvers<void>();
      // The steps of a reset. The transaction stays open while the login runs or waits.
      const reset = database.transaction(async (tx) => {
        await updatePasswordHash(tx, bob.id, 'another hash', Date.now());
        await sessionsOfUser(bob.id).remove(tx);
        const login = auth.createSession(email).then(() => loggedIn.resolve());
        await Promise.race([loggedIn.promise, new Promise((resolve) => setTimeout(resolve, 250))]);
        return { login };
      });
      await (
        await reset
      ).login;
      assert.deepEqual(await listSessions(database, { userId: bob.id, now: 0, seenSince: 0, limit: 10 }), []);
    });

    test('ends if the password changes afterwards', async () => {
      const { auth } = makeAuth();
      await auth.registerUser(email, password);
      const login = await auth.logIn(email, password);
      assert.ok(login?.token !== undefined && (await isLive(auth, login.token)));
      await auth.setPassword(email, 'another');
      assert.equal(await isLive(auth, login.token), false);
    });
  });

  // The two slowest tests, so they are last.
  describe('many sessions', () => {
    test('write the last use of a thousand sessions in statements of at most five hundred', async () => {
      const recorder: { current?: Recorder } = {};
      const bench = await withBob({
        through: (database) => (recorder.current = new Recorder(database)),
        sessionsPerUser: 1000,
      });
      const { auth, clock } = bench;
      const tokens = await fiveHundredAndOne(auth);
      clock.advance(hourMs);
      for (let i = 0; i < 2; i += 1) await Promise.all(tokens.map((token) => auth.getSession(token)));
      const before = recorder.current?.recorded.length ?? 0;
      await auth.flushSeen();
      await auth.flushSeen();
      const written = recorder.current?.recorded.slice(before).map(({ compiled }) => compiled.text);
      assert.deepEqual(
        written?.map((text) => [text.slice(0, 17), text.split(', ').length >= 500]),
        [
          ['update "sessions"', true],
          ['update "sessions"', false],
        ],
      );
      assert.deepEqual(new Set(await seenAt(bench)), new Set([clock.now()]));
    });

    test('expired sessions are purged in batches of five hundred, and the others stay', async () => {
      const recorder: { current?: Recorder } = {};
      const { auth, database, clock, bob } = await withBob({
        through: (given) => (recorder.current = new Recorder(given)),
        sessionsPerUser: 1000,
      });
      await fiveHundredAndOne(auth);
      clock.advance(30 * dayMs);
      const live = await newSession(auth);
      const before = recorder.current?.recorded.length ?? 0;
      assert.equal(await auth.purge(), 501);
      const removals = recorder.current?.recorded
        .slice(before)
        .filter(({ compiled }) => compiled.text.includes('"sessions"'));
      assert.deepEqual(
        removals?.map(({ rows }) => rows).filter((rows) => rows > 0),
        [500, 1],
      );
      assert.equal(await isLive(auth, live), true);
      assert.equal(
        (await listSessions(database, { userId: bob.id, now: 0, seenSince: 0, limit: 10 })).length,
        1,
      );
      assert.equal(await auth.purge(), 0);
    });
  });
});
