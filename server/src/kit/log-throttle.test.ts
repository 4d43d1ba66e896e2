import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testClock } from '../../test/support/clock.ts';
import { hourMs, minuteMs } from './clock.ts';
import { LogThrottle } from './log-throttle.ts';

test('logs the first occurrence of a kind immediately, later ones once a minute with their number', () => {
  const clock = testClock();
  const logThrottle = new LogThrottle(clock.now);
  assert.deepEqual(
    [logThrottle.take('disk'), logThrottle.take('disk'), logThrottle.take('net'), logThrottle.take('disk')],
    [1, 0, 1, 0],
  );
  clock.advance(minuteMs);
  assert.deepEqual([logThrottle.take('disk'), logThrottle.take('disk')], [3, 0]);
});

test('logs a kind immediately after it was reset', () => {
  const logThrottle = new LogThrottle(testClock().now);
  logThrottle.take('disk');
  assert.deepEqual(
    [logThrottle.forget('disk'), logThrottle.forget('disk'), logThrottle.take('disk')],
    [true, false, 1],
  );
});

test('a clock that is set back suppresses no kind for more than a minute', () => {
  const clock = testClock();
  const logThrottle = new LogThrottle(clock.now);
  logThrottle.take('disk');
  clock.advance(-hourMs);
  assert.equal(logThrottle.take('disk'), 1);
});

test('keeps a limited number of kinds', () => {
  const logThrottle = new LogThrottle(testClock().now);
  for (let i = 0; i < 1000; i += 1) assert.equal(logThrottle.take(`kind ${i}`), 1);
  assert.equal(logThrottle.take('kind 999'), 0);
});
