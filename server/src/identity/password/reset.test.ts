// Tests reset tokens: single use, revocation, lifetime and storage.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { contentsOf } from '../../../test/support/contents.ts';
import { onEachEngine } from '../../../test/support/engines.ts';
import { Recorder } from '../../../test/support/recorder.ts';
import { anyHash, cheapHashing } from '../../../test/support/hashing.ts';
import { useAuth, type AuthUnderTest } from '../../../test/support/auth.ts';
import { Hasher } from '../../hash/hasher.ts';
import { hourMs, minuteMs } from '../../kit/clock.ts';
import { isProblem } from '../../kit/problem.ts';
import { createToken } from '../../kit/secret.ts';
import { resetKind } from './reset.ts';
import type { User } from '../../user/user.ts';

const email = 'bob@example.org';

const isInvalid = (error: unknown): boolean => isProblem(error, 'token_invalid');

onEachEngine('a reset token', (engine) => {
  const makeAuth = useAuth(engine);

  async function withBob(
    options?: Parameters<typeof makeAuth>[0],
  ): Promise<AuthUnderTest & { readonly bob: User }> {
    const made = makeAuth(options);
    return { ...made, bob: await made.auth.registerUser(email, 'the first') };
  }

  describe('single use', () => {
    test('rejects a token that was already used, with any password and any email', async () => {
      const { auth } = await withBob();
      const token = await auth.getResetPasswordToken(email);
      await auth.updatePassword(token, 'the second');
      for (const address of [undefined, email])
        await assert.rejects(auth.updatePassword(token, 'the third', address), isInvalid);
      assert.equal(await auth.validLogin(email, 'the second'), true);
    });

    test('lets one of a hundred concurrent requests set the password', async () => {
      const { auth } = await withBob();
      const token = await auth.getResetPasswordToken(email);
      const racers = await Promise.allSettled(
        Array.from({ length: 100 }, (_, i) => auth.updatePassword(token, `password ${i}`)),
      );
      const winners = racers.flatMap((outcome, i) => (outcome.status === 'fulfilled' ? [i] : []));
      assert.equal(winners.length, 1);
      for (const outcome of racers)
        if (outcome.status === 'rejected') assert.ok(isInvalid(outcome.reason), String(outcome.reason));
      assert.equal(await auth.validLogin(email, `password ${winners[0]}`), true);
    });

    test('stays usable after a password that the rule rejects', async () => {
      const { auth } = await withBob();
      const token = await auth.getResetPasswordToken(email);
      await assert.rejects(
        auth.updatePassword(token, ''),
        (error) => isProblem(error, 'invalid_request') && error.fields[0]?.field === 'new_password',
      );
      await auth.updatePassword(token, 'the second');
    });

    test('stays usable if the hasher is busy', async () => {
      const { auth } = await withBob();
      const token = await auth.getResetPasswordToken(email);
      const closed = new Hasher(cheapHashing);
      await closed.close();
      await assert.rejects(makeAuth({ hasher: closed }).auth.updatePassword(token, 'the second'), (error) =>
        isProblem(error, 'unavailable'),
      );
      await auth.updatePassword(token, 'the second');
    });
  });

  describe('revocation', () => {
    test('is revoked by a newer one', async () => {
      const { auth } = await withBob();
      const [older, newer] = [
        await auth.getResetPasswordToken(email),
        await auth.getResetPasswordToken(email),
      ];
      await assert.rejects(auth.updatePassword(older, 'the second'), isInvalid);
      await auth.updatePassword(newer, 'the second');
    });

    test('leaves one valid token of many that are requested concurrently', async () => {
      const { auth, database } = await withBob();
      const tokens = await Promise.all(Array.from({ length: 10 }, () => auth.getResetPasswordToken(email)));
      assert.equal((await database.query((sql) => sql.selectFrom('one_time_tokens').select('id'))).length, 1);
      const outcomes = await Promise.allSettled(
        tokens.map((token) => auth.updatePassword(token, 'the second')),
      );
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    });

    test('is revoked by a password that the operator sets', async () => {
      const { auth } = await withBob();
      const token = await auth.getResetPasswordToken(email);
      await auth.setPassword(email, 'the second');
      await assert.rejects(auth.updatePassword(token, 'the third'), isInvalid);
      assert.equal(await auth.validLogin(email, 'the second'), true);
    });

    test('is revoked by another email of the user', async () => {
      const { auth, db, bob } = await withBob();
      const token = await auth.getResetPasswordToken(email);
      await db.updateUser(bob.id, { email: 'robert@example.org' });
      await assert.rejects(auth.updatePassword(token, 'the second'), isInvalid);
    });
  });

  describe('lifetime', () => {
    test('ends after exactly one hour', async () => {
      const { auth, clock } = await withBob();
      const first = await auth.getResetPasswordToken(email);
      clock.advance(hourMs - 1);
      await auth.updatePassword(first, 'the second');
      const second = await auth.getResetPasswordToken(email);
      clock.advance(hourMs);
      await assert.rejects(auth.updatePassword(second, 'the third'), isInvalid);
    });

    test('is configurable by the operator', async () => {
      const { auth, clock } = await withBob({ resetTokenMinutes: 5 });
      const token = await auth.getResetPasswordToken(email);
      clock.advance(5 * minuteMs);
      await assert.rejects(auth.updatePassword(token, 'the second'), isInvalid);
    });

    test('of a consumed token does not start again if the clock is set back', async () => {
      const { auth, clock } = await withBob();
      const token = await auth.getResetPasswordToken(email);
      await auth.updatePassword(token, 'the second');
      clock.advance(-hourMs);
      await assert.rejects(auth.updatePassword(token, 'the third'), isInvalid);
    });

    test('may end while the password is hashed', async () => {
      const { clock, db } = await withBob();
      class SlowHasher extends Hasher {
        override hash(text: string): Promise<string> {
          clock.advance(2 * hourMs);
          return super.hash(text);
        }
      }
      const hasher = new SlowHasher(cheapHashing);
      const { auth } = makeAuth({ hasher, clock: clock.now });
      const token = await auth.getResetPasswordToken(email);
      const before = await db.findUserBy({ email });
      await assert.rejects(auth.updatePassword(token, 'the second'), isInvalid);
      assert.deepEqual(await db.findUserBy({ email }), before);
      await hasher.close();
    });
  });

  describe('ownership', () => {
    test('is rejected with another user’s email or a malformed one, and stays usable', async () => {
      const { auth, database } = await withBob();
      await auth.registerUser('eve@example.org', 'eve’s');
      const token = await auth.getResetPasswordToken(email);
      const before = await contentsOf(database);
      for (const address of [
        'eve@example.org',
        'nobody@example.org',
        '',
        'bob',
        'bob@example.org.evil.test',
      ]) {
        await assert.rejects(auth.updatePassword(token, 'the second', address), isInvalid, address);
      }
      assert.deepEqual(await contentsOf(database), before);
      const user = await auth.updatePassword(token, 'the second', ' BOB@example.org');
      assert.equal(user.email, email);
    });

    test('is rejected with the secret of another token, and both stay usable', async () => {
      const { auth } = await withBob();
      await auth.registerUser('eve@example.org', 'eve’s');
      const [bobs, eves] = [
        await auth.getResetPasswordToken(email),
        await auth.getResetPasswordToken('eve@example.org'),
      ];
      await assert.rejects(auth.updatePassword(bobs.slice(0, 37) + eves.slice(37), 'x'), isInvalid);
      await assert.rejects(
        auth.updatePassword(bobs.slice(0, 37) + createToken(resetKind).token.slice(37), 'x'),
        isInvalid,
      );
      await auth.updatePassword(bobs, 'the second');
      await auth.updatePassword(eves, 'eve’s second');
    });

    test('rejects a session id, also with the prefix of a reset token', async () => {
      const { auth } = await withBob();
      const session = (await auth.createSession(email)) ?? '';
      for (const token of [session, session.replace('.ses_', '.rst_')])
        await assert.rejects(auth.updatePassword(token, 'x'), isInvalid);
    });

    test('is not issued to a disabled user, and an earlier one is rejected', async () => {
      const { auth, bob } = await withBob();
      const token = await auth.getResetPasswordToken(email);
      await auth.setDisabled(bob.id, true);
      await assert.rejects(auth.getResetPasswordToken(email), (error) => isProblem(error, 'unknown_email'));
      await assert.rejects(auth.updatePassword(token, 'the second'), isInvalid);
      await auth.setDisabled(bob.id, false);
      assert.equal(await auth.validLogin(email, 'the first'), true);
    });
  });

  test('costs no password hash if it was never issued', async () => {
    const { auth } = await withBob();
    let hashes = 0;
    class CountingHasher extends Hasher {
      override hash(text: string): Promise<string> {
        hashes += 1;
        return super.hash(text);
      }
    }
    const hasher = new CountingHasher(cheapHashing);
    const counted = makeAuth({ hasher }).auth;
    for (let i = 0; i < 5; i += 1)
      await assert.rejects(counted.updatePassword(createToken(resetKind).token, 'x'), isInvalid);
    await assert.rejects(counted.updatePassword('x', 'x'), isInvalid);
    assert.equal(hashes, 0);
    await counted.updatePassword(await auth.getResetPasswordToken(email), 'the second');
    assert.equal(hashes, 1);
    await hasher.close();
  });

  test('is stored only as a digest', async () => {
    const { auth, database } = await withBob();
    const token = await auth.getResetPasswordToken(email);
    const rows = await database.query((sql) => sql.selectFrom('one_time_tokens').selectAll());
    assert.equal(rows.length, 1);
    const stored = JSON.stringify(
      rows.map((row) => ({ ...row, secret_hash: Buffer.from(row.secret_hash).toString('latin1') })),
    );
    assert.equal(stored.includes(token.slice(41)), false);
  });

  test('is purged after its expiry, consumed or not, in batches of five hundred; others stay', async () => {
    const recorder: { current?: Recorder } = {};
    const { auth, clock, database } = makeAuth({
      through: (given) => (recorder.current = new Recorder(given)),
    });
    await database.transaction(async (tx) => {
      const inside = makeAuth({ through: () => tx }).db;
      for (let i = 0; i < 501; i += 1) {
        const { id } = await inside.addUser(`user${i}@example.org`, anyHash);
        await inside.updateUser(id, { resetToken: `token ${i}` });
      }
    });
    clock.advance(hourMs);
    const live = await auth.getResetPasswordToken('user0@example.org');
    const before = recorder.current?.recorded.length ?? 0;
    assert.equal(await auth.purge(), 500);
    const removals = recorder.current?.recorded
      .slice(before)
      .filter(({ compiled }) => compiled.text.includes('"one_time_tokens"'));
    assert.deepEqual(
      removals?.map(({ rows }) => rows),
      [500, 0],
    );
    await auth.updatePassword(live, 'the second');
  });
});
