import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testClock } from '../../test/support/clock.ts';
import { hourMs, minuteMs } from './clock.ts';
import { Seldom } from './seldom.ts';

test('the first of a kind is told at once, the others once a minute with their number', () => {
  const clock = testClock();
  const seldom = new Seldom(clock.now);
  assert.deepEqual(
    [seldom.take('disk'), seldom.take('disk'), seldom.take('net'), seldom.take('disk')],
    [1, 0, 1, 0],
  );
  clock.advance(minuteMs);
  assert.deepEqual([seldom.take('disk'), seldom.take('disk')], [3, 0]);
});

test('a kind that is over is told at once when it comes again', () => {
  const seldom = new Seldom(testClock().now);
  seldom.take('disk');
  assert.deepEqual([seldom.forget('disk'), seldom.forget('disk'), seldom.take('disk')], [true, false, 1]);
});

test('a clock that goes back silences nothing for longer than a minute', () => {
  const clock = testClock();
  const seldom = new Seldom(clock.now);
  seldom.take('disk');
  clock.advance(-hourMs);
  assert.equal(seldom.take('disk'), 1);
});

test('however many kinds come, few are kept', () => {
  const seldom = new Seldom(testClock().now);
  for (let i = 0; i < 1000; i += 1) assert.equal(seldom.take(`kind ${i}`), 1);
  assert.equal(seldom.take('kind 999'), 0);
});
