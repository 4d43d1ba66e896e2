// Tests the rate limit of attempts per account, address and device.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayMs, secondMs } from '../../kit/clock.ts';
import { isProblem } from '../../kit/problem.ts';
import { testClock, type TestClock } from '../../../test/support/clock.ts';
import { onEachEngine, withDatabase, type EngineName } from '../../../test/support/engines.ts';
import { maxAttempts } from './store.ts';
import { Attempts, type Subject } from './attempts.ts';
import type { Database } from '../../db/database.ts';

const owner: Subject = { userId: 1 };
const address: Subject = { emailKey: 'bob@example.org' };

interface Bench {
  readonly db: Database;
  readonly attempts: Attempts;
  readonly clock: TestClock;
}

function withAttempts(engine: EngineName, work: (bench: Bench) => Promise<void>): Promise<void> {
  return withDatabase(engine, async (db) => {
    const clock = testClock();
    await work({ db, clock, attempts: new Attempts(db, clock.now) });
  });
}

/** Seconds that a rejected attempt must wait; undefined if it was allowed, null if the factor is blocked. */
async function attemptOnce(
  attempts: Attempts,
  subject: Subject,
  factor = 'password',
): Promise<number | null | undefined> {
  try {
    await attempts.begin(subject, factor);
    return undefined;
  } catch (error) {
    assert(isProblem(error, 'too_many_attempts'));
    return error.retryAfterSeconds ?? null;
  }
}

onEachEngine('attempts', (engine) => {
  for (const [name, subject] of [
    ['an account', owner],
    ['an address', address],
  ] as const) {
    test(`${name}: from the fifth failure on each attempt waits longer, and a hundred block the factor`, () =>
      withAttempts(engine, async ({ attempts, clock }) => {
        const waits: (number | null)[] = [];
        for (let count = 0; count < maxAttempts;) {
          const wait = await attemptOnce(attempts, subject);
          if (wait === undefined) count += 1;
          else {
            waits.push(wait);
            clock.advance((wait ?? 0) * secondMs);
          }
        }
        assert.deepEqual(waits.slice(0, 12), [1, 2, 4, 8, 15, 30, 60, 120, 240, 480, 900, 900]);
        clock.advance(29 * dayMs);
        assert.equal(await attemptOnce(attempts, subject), null);
      }));
  }

  test('an attempt that was not verified is uncounted, with its wait', () =>
    withAttempts(engine, async ({ attempts }) => {
      for (let count = 0; count < 4; count += 1) await attemptOnce(attempts, owner);
      await attempts.withdraw(await attempts.begin(owner, 'password'));
      assert.equal(await attemptOnce(attempts, owner), undefined);
      assert.equal(await attemptOnce(attempts, owner), 1);
    }));

  test('of five hundred concurrent attempts five are verified', () =>
    withAttempts(engine, async ({ attempts }) => {
      const waits = await Promise.all(Array.from({ length: 500 }, () => attemptOnce(attempts, owner)));
      assert.equal(waits.filter((wait) => wait === undefined).length, 5);
    }));

  test('a success resets the counter', () =>
    withAttempts(engine, async ({ db, attempts }) => {
      for (let i = 0; i < 4; i += 1) await attempts.begin(owner, 'password');
      await attempts.succeed(db, await attempts.begin(owner, 'password'));
      for (let i = 0; i < 5; i += 1) assert.equal(await attemptOnce(attempts, owner), undefined);
    }));

  test('failures do not affect a known device and other accounts', () =>
    withAttempts(engine, async ({ attempts }) => {
      for (let i = 0; i < 6; i += 1) await attemptOnce(attempts, owner);
      assert.notEqual(await attemptOnce(attempts, owner), undefined);
      assert.equal(await attemptOnce(attempts, { ...owner, deviceId: crypto.randomUUID() }), undefined);
      assert.equal(await attemptOnce(attempts, { ...owner, userId: 2 }), undefined);
    }));

  test('failures on an address do not affect another address', () =>
    withAttempts(engine, async ({ attempts }) => {
      for (let i = 0; i < 5; i += 1) await attempts.begin(address, 'password');
      assert.notEqual(await attemptOnce(attempts, address), undefined);
      assert.equal(await attemptOnce(attempts, { emailKey: 'noone@example.org' }), undefined);
    }));

  test('the removal of an account resets its factors, and ends no wait on its address', () =>
    withAttempts(engine, async ({ db, attempts }) => {
      for (const subject of [owner, address])
        for (let i = 0; i < 5; i += 1) await attempts.begin(subject, 'password');
      await attempts.forgetAll(db, 1);
      assert.equal(await attemptOnce(attempts, owner), undefined);
      assert.notEqual(await attemptOnce(attempts, address), undefined);
    }));

  test('a clock that is set back shortens no wait', () =>
    withAttempts(engine, async ({ attempts, clock }) => {
      for (let i = 0; i < 5; i += 1) await attempts.begin(owner, 'password');
      clock.advance(-3600 * secondMs);
      assert.notEqual(await attemptOnce(attempts, owner), undefined);
    }));

  test('counters without an attempt for a month are removed, others stay', () =>
    withAttempts(engine, async ({ attempts, clock }) => {
      for (let i = 0; i < 5; i += 1) await attempts.begin(owner, 'password');
      await attempts.begin(owner, 'totp');
      clock.advance(31 * dayMs);
      await attempts.begin(address, 'password');
      assert.equal(await attempts.purge(10), 2);
      assert.equal(await attempts.purge(10), 0);
    }));

  test('counters of free attempts at passwords and codes are removed after a day, others stay', () =>
    withAttempts(engine, async ({ attempts, clock }) => {
      for (let i = 0; i < 4; i += 1) await attempts.begin(address, 'password');
      for (let i = 0; i < 5; i += 1) await attempts.begin(address, 'email_code');
      await attempts.begin(owner, 'totp');
      assert.equal(await attempts.purge(10), 0);
      clock.advance(dayMs + secondMs);
      assert.equal(await attempts.purge(10), 1);
      for (let i = 0; i < 5; i += 1) await attempts.begin(address, 'password');
      await attempts.begin(address, 'email_code');
      assert.equal(await attemptOnce(attempts, address, 'email_code'), 2, 'its wait is still known');
      assert.equal((await attempts.begin(owner, 'totp')).count, 2);
    }));

  test('a purge removes at most as many counters as its limit', () =>
    withAttempts(engine, async ({ attempts, clock }) => {
      for (let i = 0; i < 7; i += 1)
        await attempts.begin({ emailKey: `${i}@example.org` }, i < 4 ? 'password' : 'totp');
      clock.advance(31 * dayMs);
      assert.equal(await attempts.purge(5), 5);
      assert.equal(await attempts.purge(5), 2);
    }));
});
