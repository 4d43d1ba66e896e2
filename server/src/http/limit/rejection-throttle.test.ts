import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../kit/problem.ts';
import { testClock } from '../../../test/support/clock.ts';
import { RejectionThrottle } from './rejection-throttle.ts';

test('sends 200 rejections per second immediately, and further ones after about 75 ms', async () => {
  const clock = testClock();
  const throttle = new RejectionThrottle(clock.now);
  const problem = new Problem('too_many_requests');
  let prompt = 0;
  const begunAt = performance.now();
  const late = Array.from({ length: 1000 }, () => {
    let isNow = true;
    const answered = new Promise<Problem>((resolve) => {
      throttle.refuse((error) => {
        if (isNow) prompt += 1;
        resolve(error);
      }, problem);
    });
    isNow = false;
    return answered;
  });
  assert.equal(prompt, 200);
  for (const answered of await Promise.all(late)) assert.equal(answered, problem);
  const tookMs = performance.now() - begunAt;
  assert.ok(tookMs > 60 && tookMs < 60_000, `${tookMs} ms`);

  clock.advance(1000);
  let isNow = false;
  throttle.refuse(() => (isNow = true), problem);
  assert.ok(isNow, 'immediate again in the next second');
});
