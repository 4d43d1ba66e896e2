import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hourMs, secondMs } from './clock.ts';
import { testClock } from '../../test/support/clock.ts';
import { RateLimit, takeAll } from './rate-limit.ts';

const clock = testClock();
const limitOf = (perMinute: number, maxKeys = 10): RateLimit =>
  new RateLimit({ perMinute, maxKeys, clock: clock.now });

test('allows the units of one minute in a burst, then as many as are refilled', () => {
  const limit = limitOf(60);
  for (let left = 59; left >= 0; left -= 1) {
    const verdict = limit.take('a', 1);
    assert.deepEqual(verdict, { isAllowed: true, remaining: left, seconds: 60 - left });
  }
  assert.deepEqual(limit.take('a', 1), { isAllowed: false, remaining: 0, seconds: 1 });
  clock.advance(secondMs);
  assert.equal(limit.take('a', 1).isAllowed, true);
  assert.equal(limit.take('a', 1).isAllowed, false);
  clock.advance(hourMs);
  assert.equal(limit.take('a', 1).remaining, 59, 'full again, and no fuller');
});

test('never allows more than a full bucket plus the refill', () => {
  const limit = limitOf(60);
  let allowed = 0;
  for (let second = 0; second < 600; second += 1) {
    for (let i = 0; i < 5; i += 1) if (limit.take('a', 1).isAllowed) allowed += 1;
    clock.advance(secondMs);
  }
  assert.equal(allowed, 60 + 599);
});

test('rejects an expensive request while a cheap one is still allowed, and returns when to retry', () => {
  const limit = limitOf(60);
  assert.equal(limit.take('a', 57).remaining, 3);
  assert.deepEqual(limit.take('a', 5), { isAllowed: false, remaining: 3, seconds: 2 });
  assert.equal(limit.take('a', 3).isAllowed, true);
  clock.advance(5 * secondMs);
  assert.equal(limit.take('a', 5).isAllowed, true);
});

test('a rejected request takes no units', () => {
  const limit = limitOf(10);
  limit.take('a', 10);
  for (let i = 0; i < 1000; i += 1)
    assert.deepEqual(limit.take('a', 1), { isAllowed: false, remaining: 0, seconds: 6 });
});

test('keys are limited independently', () => {
  const limit = limitOf(1);
  assert.equal(limit.take('a', 1).isAllowed, true);
  assert.equal(limit.take('a', 1).isAllowed, false);
  assert.equal(limit.take('b', 1).isAllowed, true);
});

test('remembers only the keys seen last', () => {
  const limit = limitOf(1, 10);
  for (let i = 0; i < 100; i += 1) {
    assert.equal(limit.take(`key ${i}`, 1).isAllowed, true);
    for (let j = Math.max(0, i - 9); j <= i; j += 1) assert.equal(limit.take(`key ${j}`, 1).isAllowed, false);
  }
  assert.equal(limit.take('key 70', 1).isAllowed, true);
});

/** Returns how many milliseconds of the processor 300,000 requests of so many keys take. */
const msOf = (keys: number): number => {
  const limit = limitOf(1, 50_000);
  const begun = process.cpuUsage();
  for (let i = 0; i < 300_000; i += 1) limit.take(`key ${i % keys}`, 1);
  return process.cpuUsage(begun).user / 1000;
};

test('a request costs the same with many new keys as with few', () => {
  const few = msOf(10);
  assert.ok(msOf(300_000) < 50 * few + 1000, `${few} ms for few`);
});

test('a clock that is set back by an hour rejects no request', () => {
  const limit = limitOf(60);
  limit.take('a', 1);
  clock.advance(-hourMs);
  assert.deepEqual(limit.take('a', 1), { isAllowed: true, remaining: 59, seconds: 1 });
});

test('a clock that is set back slightly rejects a key no longer than an empty bucket does', () => {
  const limit = limitOf(60);
  limit.take('a', 60);
  clock.advance(-30 * secondMs);
  assert.deepEqual(limit.take('a', 1), { isAllowed: false, remaining: 0, seconds: 1 });
  clock.advance(secondMs);
  assert.equal(limit.take('a', 1).isAllowed, true);
});

test('counts whole units at rates that do not divide a minute evenly', () => {
  for (const perMinute of [7, 11, 13, 61, 599, 1_000_000]) {
    const limit = limitOf(perMinute);
    const count = Math.min(perMinute, 1000);
    for (let i = 1; i <= count; i += 1)
      assert.equal(limit.take('a', 1).remaining, perMinute - i, `${i} of ${perMinute}`);
    if (count === perMinute) assert.equal(limit.take('a', 1).isAllowed, false);
  }
});

test('takes from all buckets or from none', () => {
  const [narrow, wide] = [limitOf(2), limitOf(3)];
  const take = (key: string): ReturnType<typeof takeAll> =>
    takeAll(
      [
        { limit: narrow, key },
        { limit: wide, key: 'all' },
      ],
      1,
    );
  assert.equal(take('a').remaining, 1);
  assert.equal(take('a').remaining, 0);
  for (let i = 0; i < 10; i += 1)
    assert.deepEqual(take('a'), { isAllowed: false, remaining: 0, seconds: 30 }, 'of the narrow one');
  assert.equal(take('b').isAllowed, true, 'the wide one has a unit left');
  assert.deepEqual(take('b'), { isAllowed: false, remaining: 0, seconds: 20 }, 'of the wide one');
  assert.equal(narrow.take('b', 1).isAllowed, true, 'the narrow one has a unit left');
});

test('keys of rejected requests displace no others', () => {
  const [narrow, wide] = [limitOf(1, 10), limitOf(1)];
  narrow.take('known', 1);
  wide.take('all', 1);
  for (let i = 0; i < 100; i += 1)
    takeAll(
      [
        { limit: narrow, key: `key ${i}` },
        { limit: wide, key: 'all' },
      ],
      1,
    );
  assert.equal(narrow.take('known', 1).isAllowed, false);
});
