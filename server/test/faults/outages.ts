// PostgreSQL ends under load, or stops answering. Errors occur only during the outage and say so; the service recovers
// without a restart.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { temporaryFolder } from '../support/running-service.ts';
import { eventually } from '../support/eventually.ts';
import { cheapMain, startService, type ServiceProcess } from '../support/service.ts';
import { History, sendRequest } from './history.ts';
import { startOwnPostgres, type OwnPostgres } from './own-postgres.ts';

/** Milliseconds within which a request is rejected while the server does not answer: it takes 4 s if nothing else runs. */
const refusalMs = 30_000;
const clients = 6;

interface Scene {
  readonly postgres: OwnPostgres;
  readonly service: ServiceProcess;
  readonly history: History;
  /** Cookie of a signed-in user. */
  readonly cookie: string;
}

const watcher = { email: 'watcher@example.org', password: 'watching' };

async function setScene(t: TestContext): Promise<Scene> {
  const postgres = await startOwnPostgres(t);
  const environment = { DATABASE_URL: postgres.url, DATA_DIR: await temporaryFolder(t), HASH_THREADS: '2' };
  const service = await startService(environment, cheapMain);
  t.after(async () => void (await service.stop('SIGKILL')));
  assert.equal((await sendRequest(service.baseUrl, 'POST', '/users', { fields: watcher }))?.status, 200);
  const cookie = (await sendRequest(service.baseUrl, 'POST', '/sessions', { fields: watcher }))?.cookie ?? '';
  return { postgres, service, history: new History(), cookie };
}

/** Statuses of the two health checks. */
async function health(baseUrl: string): Promise<(number | undefined)[]> {
  const replies = await Promise.all(
    ['/health/live', '/health/ready'].map((path) => sendRequest(baseUrl, 'GET', path)),
  );
  return replies.map((reply) => reply?.status);
}

/** Waits until a session is checked and a whole way through the service succeeds. */
async function assertHeals({ service, history, cookie }: Scene): Promise<void> {
  await eventually('the recovery of the service', async () => {
    const { refused } = history;
    await history.once(service.baseUrl);
    const profile = await sendRequest(service.baseUrl, 'GET', '/profile', { cookie });
    return history.refused === refused && profile?.status === 200;
  });
  assert.deepEqual(await health(service.baseUrl), [200, 200]);
  assert.equal(service.child.exitCode, null, 'the process is the same');
}

/** Declares the tests, with this many restarts under load. */
export function declareOutages(restarts: number): void {
  test(`${restarts} outages of PostgreSQL under load have no effects afterwards`, async (t) => {
    const scene = await setScene(t);
    const { postgres, service, history, cookie } = scene;
    for (let n = 0; n < restarts; n += 1) {
      history.start(service.baseUrl, clients);
      await history.progress(20);
      await postgres.crash();
      await pause(300);
      assert.deepEqual(await health(service.baseUrl), [200, 503]);
      assert.equal((await sendRequest(service.baseUrl, 'GET', '/profile', { cookie }))?.status, 503);
      await postgres.start();
      await assertHeals(scene);
      await history.stop();
      const { refused } = history;
      for (let i = 0; i < 12; i += 1) await history.once(service.baseUrl); // no broken connection is left in the pool
      assert.equal(history.refused, refused);
    }
    await history.check(service.baseUrl);
    const errors = service.lines.filter((line) => line.includes('a dependency is unavailable'));
    assert.ok(errors.length > 0 && errors.length <= 20 * restarts, `${errors.length} lines about it`);
  });

  test('requests do not wait for a PostgreSQL that does not answer, and use it again when it does', async (t) => {
    const scene = await setScene(t);
    const { postgres, service, history, cookie } = scene;
    const { reset_token: token = '' } = JSON.parse(
      (await sendRequest(service.baseUrl, 'POST', '/reset_password', { fields: { email: watcher.email } }))
        ?.text ?? '{}',
    ) as { reset_token?: string };
    // As many connections as the pool may have, so that some requests wait for one.
    await Promise.all(Array.from({ length: 20 }, () => history.once(service.baseUrl)));
    await postgres.freeze();
    const requests: readonly [string, string, object][] = [
      ['GET', '/profile', { cookie }],
      ['POST', '/users', { fields: { email: 'new@example.org', password: 'new' } }],
      ['POST', '/sessions', { fields: watcher }],
      ['POST', '/reset_password', { fields: { email: watcher.email } }],
      [
        'PUT',
        '/reset_password',
        { fields: { email: watcher.email, reset_token: token, new_password: 'never' } },
      ],
      ['DELETE', '/sessions', { cookie }],
      ['GET', '/health/ready', {}],
    ];
    const outcomes = await Promise.all(
      [...requests, ...requests, ...requests].map(async ([method, path, rest]) => {
        const begun = performance.now();
        const status = (await sendRequest(service.baseUrl, method, path, rest))?.status;
        return { what: `${method} ${path}`, status, ms: Math.round(performance.now() - begun) };
      }),
    );
    const live = await sendRequest(service.baseUrl, 'GET', '/health/live');
    postgres.thaw();
    t.diagnostic(`the longest rejection took ${Math.max(...outcomes.map(({ ms }) => ms))} ms`);
    assert.equal(live?.status, 200);
    for (const { what, status, ms } of outcomes) {
      assert.equal(status, 503, what);
      assert.ok(ms < refusalMs, `${what} was rejected after ${ms} ms`);
    }
    await assertHeals(scene);
    await history.check(service.baseUrl);
  });
}
