import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { source, startScript } from '../../test/support/script.ts';
import { silentLog, type Log } from '../kit/log.ts';
import { Jobs } from './jobs.ts';

/** Advances the timers second by second, and lets the started work continue. */
async function pass(context: TestContext, seconds: number): Promise<void> {
  for (let i = 0; i < seconds; i += 1) {
    context.mock.timers.tick(1000);
    await setImmediate();
  }
}

function begin(context: TestContext, log: Log = silentLog): Jobs {
  context.mock.timers.enable({ apis: ['setInterval'] });
  return new Jobs(log);
}

test('a job runs at its interval, not earlier, and not after the stop', async (context) => {
  const jobs = begin(context);
  let runs = 0;
  jobs.start({ name: 'count', everyMs: 2000, run: async () => void (runs += 1) });
  await pass(context, 1);
  assert.equal(runs, 0);
  await pass(context, 5);
  assert.equal(runs, 3);
  await jobs.stop();
  await pass(context, 5);
  assert.equal(runs, 3);
});

test('a job never overlaps itself: an interval that ends during a run is skipped', async (context) => {
  const jobs = begin(context);
  const runs: PromiseWithResolvers<void>[] = [];
  const run = (): Promise<void> => {
    const started = Promise.withResolvers<void>();
    runs.push(started);
    return started.promise;
  };
  jobs.start({ name: 'slow', everyMs: 1000, run });
  await pass(context, 5);
  assert.equal(runs.length, 1);
  runs[0]?.resolve();
  await pass(context, 3);
  assert.equal(runs.length, 2);
  runs[1]?.resolve();
  await jobs.stop();
});

test('a slow job does not delay other jobs', async (context) => {
  const jobs = begin(context);
  const slow = Promise.withResolvers<void>();
  let runs = 0;
  jobs.start({ name: 'slow', everyMs: 1000, run: () => slow.promise });
  jobs.start({ name: 'quick', everyMs: 1000, run: async () => void (runs += 1) });
  await pass(context, 3);
  assert.equal(runs, 3);
  slow.resolve();
  await jobs.stop();
});

test('a run that fails is logged with its cause, and the job runs again; repeated failures are logged once', async (context) => {
  const cause = new Error('the disk is full');
  const logged: object[] = [];
  const note = (facts: object): void => void logged.push(facts);
  const jobs = begin(context, { ...silentLog, error: note, info: note });
  let runs = 0;
  const run = async (): Promise<void> => {
    runs += 1;
    if (runs <= 3) throw cause;
  };
  jobs.start({ name: 'faulty', everyMs: 1000, run });
  await pass(context, 5);
  assert.equal(runs, 5);
  assert.deepEqual(logged, [{ err: cause, job: 'faulty', count: 1 }, { job: 'faulty' }]);
  await jobs.stop();
});

test('stop() waits for a running job', async (context) => {
  const jobs = begin(context);
  const slow = Promise.withResolvers<void>();
  let isDone = false;
  jobs.start({ name: 'slow', everyMs: 1000, run: () => slow.promise.then(() => void (isDone = true)) });
  await pass(context, 1);
  const stopped = jobs.stop().then(() => assert.equal(isDone, true));
  await setImmediate();
  slow.resolve();
  await stopped;
});

test('a job does not keep the process alive', async () => {
  const script = startScript(`
    import { Jobs } from '${source('jobs/jobs.ts')}';
    new Jobs(console).start({ name: 'idle', everyMs: 60_000, run: async () => {} });
    console.log('started');`);
  assert.equal(await script.ended, 0);
  assert.deepEqual(script.lines, ['started']);
});
