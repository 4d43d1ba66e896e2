// For every step on the way to the disk, the service is killed at that step, or its call fails. Afterwards the state is
// that before the action or that after it.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { serviceOn } from '../support/running-service.ts';
import { History, sendRequest } from './history.ts';
import { assertAudited, assertSound } from './soundness.ts';
import { injectInto, whyNoTracer, type Injection } from './tracer.ts';

/** More calls than one user's way through the service makes. */
const maxCalls = 400;

const reason = whyNoTracer();
const skip = reason === undefined ? false : `no faults are injected: ${reason}`;

/** Declares the tests; each n-th of the steps is taken. */
export function declareSteps(stride: { readonly syncs: number; readonly writes: number }): void {
  for (const [call, by, what] of [
    ['fsync,fdatasync', stride.syncs, 'flush of the database'],
    ['pwrite64', stride.writes, 'write to the database'],
  ] as const) {
    test(`a kill at any ${what} loses nothing that was acknowledged`, { skip }, (t) =>
      killAtEach(t, call, by),
    );
    test(
      `a failure of any ${what} is reported as such, and nothing that was acknowledged is lost`,
      { skip },
      (t) => failAtEach(t, { call, fault: 'error=EIO' }, by),
    );
  }
  test(
    'a full disk at any write to the database is reported as such, and nothing that was acknowledged is lost',
    { skip },
    (t) => failAtEach(t, { call: 'pwrite64', fault: 'error=ENOSPC' }, stride.writes),
  );
  test(
    'while every flush of the database fails, no change is acknowledged and sessions are still checked',
    { skip },
    failOnAndOn,
  );
}

async function killAtEach(t: TestContext, call: Injection['call'], by: number): Promise<void> {
  const { start, environment } = await serviceOn(t, 'sqlite');
  const url = environment['DATABASE_URL'] ?? '';
  const history = new History();
  let [checked, kills] = [0, 0];
  for (let n = 1; n < maxCalls; n += by) {
    const service = await start();
    assertSound(url);
    await history.check(service.baseUrl, checked);
    checked = history.accounts.length;
    const tracer = await injectInto(service, url, { call, fault: 'signal=KILL', n });
    const before = history.refused;
    await history.once(service.baseUrl);
    await tracer.detach();
    await service.stop('SIGKILL');
    if (history.refused === before) break; // the process has ended
    kills += 1;
  }
  const service = await start();
  await history.check(service.baseUrl);
  await service.stop();
  assertSound(url);
  await assertAudited(environment);
  assert.ok(kills > 0);
  t.diagnostic(`${kills} kills`);
}

async function failAtEach(t: TestContext, injection: Omit<Injection, 'n'>, by: number): Promise<void> {
  const { start, environment } = await serviceOn(t, 'sqlite');
  const url = environment['DATABASE_URL'] ?? '';
  const history = new History();
  const service = await start();
  const watcher = await sessionOf(service.baseUrl);
  let [failures, n] = [0, 1];
  for (let attempt = 0; attempt < maxCalls; attempt += 1) {
    const before = history.refused;
    const tracer = await injectInto(service, url, { ...injection, n });
    await history.once(service.baseUrl);
    const isHit = await tracer.detach();
    assert.equal((await sendRequest(service.baseUrl, 'GET', '/profile', { cookie: watcher }))?.status, 200);
    if (!isHit) break; // there are fewer calls
    if (history.refused === before) continue; // the fault hit what the service does by itself
    // A rejected request goes no further: the next request reaches the same step and one more.
    failures += 1;
    n += by;
  }
  await history.check(service.baseUrl);
  await service.stop('SIGKILL');
  assertSound(url);
  const again = await start();
  await history.check(again.baseUrl);
  await again.stop();
  await assertAudited(environment);
  assert.ok(failures > 0);
  t.diagnostic(`${failures} failures`);
}

async function failOnAndOn(t: TestContext): Promise<void> {
  const { start, environment } = await serviceOn(t, 'sqlite');
  const url = environment['DATABASE_URL'] ?? '';
  const service = await start();
  const history = new History();
  const watcher = await sessionOf(service.baseUrl);
  const tracer = await injectInto(service, url, {
    call: 'fsync,fdatasync',
    fault: 'error=EIO',
    n: 1,
    andOn: true,
  });
  for (let i = 0; i < 5; i += 1) {
    await history.once(service.baseUrl);
    assert.equal((await sendRequest(service.baseUrl, 'GET', '/profile', { cookie: watcher }))?.status, 200);
    assert.equal((await sendRequest(service.baseUrl, 'GET', '/health/live'))?.status, 200);
  }
  assert.deepEqual([history.acknowledged, history.refused], [0, 5]);
  await tracer.detach();
  await history.once(service.baseUrl);
  assert.deepEqual(history.refused, 5, 'it recovers by itself');
  await history.check(service.baseUrl);
  await service.stop('SIGKILL');
  assertSound(url);
  const again = await start();
  await history.check(again.baseUrl);
}

/** The cookie of a signed-in user. */
async function sessionOf(baseUrl: string): Promise<string> {
  const fields = { email: `watcher${crypto.randomUUID()}@example.org`, password: 'watching' };
  assert.equal((await sendRequest(baseUrl, 'POST', '/users', { fields }))?.status, 200);
  return (await sendRequest(baseUrl, 'POST', '/sessions', { fields }))?.cookie ?? '';
}
