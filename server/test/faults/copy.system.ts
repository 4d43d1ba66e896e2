// A copy that is made while the service is running (`vacuum into`, as documented) is intact, opens, and logs in every
// user who existed when it began.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { sqlitePath } from '../../src/db/open-database.ts';
import { patienceMs } from '../support/eventually.ts';
import { serviceOn, temporaryFolder } from '../support/running-service.ts';
import { History } from './history.ts';
import { assertAudited, assertSound } from './soundness.ts';

test('a copy made under load is intact, opens, and logs users in', async (t) => {
  const { start, environment } = await serviceOn(t, 'sqlite');
  const service = await start();
  const before = new History();
  for (let i = 0; i < 3; i += 1) await before.once(service.baseUrl);
  const during = new History();
  during.start(service.baseUrl, 6);
  await during.progress(10);
  const copy = join(await temporaryFolder(t), 'copy.db');
  {
    using direct = new DatabaseSync(sqlitePath(environment['DATABASE_URL'] ?? '') ?? '', {
      readOnly: true,
      timeout: patienceMs,
    });
    direct.prepare('vacuum into ?').run(copy);
  }
  await during.progress(10);
  await during.stop();
  assert.deepEqual([during.refused, during.unexpected], [0, []], 'the service was not disturbed');
  await service.stop();

  const url = `sqlite:${copy}`;
  assertSound(url);
  const restored = await start({ DATABASE_URL: url });
  await before.check(restored.baseUrl);
  await restored.stop();
  await assertAudited({ ...environment, DATABASE_URL: url });
});
