// A fault that affects only some requests: they are answered 500 without detail, the others are served, and the process
// keeps running. The test drops a table; to the service that is like any bug of its own.
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { sqlitePath } from '../../src/db/open-database.ts';
import { eventually, patienceMs } from '../support/eventually.ts';
import { serviceOn } from '../support/running-service.ts';
import { History, sendRequest } from './history.ts';

const watcher = { email: 'watcher@example.org', password: 'watching' };

test('a fault in one route answers 500 without detail and does not affect other routes', async (t) => {
  const { start, environment } = await serviceOn(t, 'sqlite');
  const service = await start();
  const { baseUrl } = service;
  assert.equal((await sendRequest(baseUrl, 'POST', '/users', { fields: watcher }))?.status, 200);
  const cookie = (await sendRequest(baseUrl, 'POST', '/sessions', { fields: watcher }))?.cookie ?? '';
  {
    using direct = new DatabaseSync(sqlitePath(environment['DATABASE_URL'] ?? '') ?? '', {
      timeout: patienceMs,
    });
    direct.exec('alter table one_time_tokens rename to lost');
  }
  const faulty = await Promise.all(
    Array.from({ length: 20 }, () =>
      sendRequest(baseUrl, 'POST', '/reset_password', { fields: { email: watcher.email } }),
    ),
  );
  for (const reply of faulty) {
    assert.equal(reply?.status, 500);
    assert.doesNotMatch(reply?.text ?? '', /one_time_tokens|sqlite|no such|\.ts/i);
  }
  await eventually('the cause in the log', () =>
    service.lines.some((line) => line.includes('"level":"error"') && line.includes('one_time_tokens')),
  );
  assert.equal((await sendRequest(baseUrl, 'GET', '/profile', { cookie }))?.status, 200);
  assert.equal((await sendRequest(baseUrl, 'POST', '/sessions', { fields: watcher }))?.status, 200);
  assert.equal((await sendRequest(baseUrl, 'GET', '/health/ready'))?.status, 200);
  assert.equal(service.child.exitCode, null);

  {
    using direct = new DatabaseSync(sqlitePath(environment['DATABASE_URL'] ?? '') ?? '', {
      timeout: patienceMs,
    });
    direct.exec('alter table lost rename to one_time_tokens');
  }
  const history = new History();
  await history.once(baseUrl);
  assert.deepEqual([history.refused, history.unexpected], [0, []]);
  await history.check(baseUrl);
});
