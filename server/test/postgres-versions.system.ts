// The service, its statements and the accounts of the benchmark on each PostgreSQL that is installed: that of the npm
// package, and those of the system.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fillDatabase } from '../../bench/support/accounts.ts';
import { connectDatabase } from '../src/db/open-database.ts';
import { History } from './faults/history.ts';
import { installations, onServer, startPostgres } from './support/postgres-servers.ts';
import { temporaryFolder } from './support/running-service.ts';
import { startService } from './support/service.ts';

for (const { version, binaries, skip } of installations)
  test(`the service and the benchmark run on PostgreSQL ${version}`, { skip }, async (t) => {
    const { url } = await startPostgres(t, binaries);
    await fillDatabase(url, 200);
    assert.deepEqual(await onServer(url, 'select count(*)::int as sessions from sessions'), [
      { sessions: 200 },
    ]);
    const db = await connectDatabase(url);
    assert.match(db.connectedBy ?? '', /, connected directly$/);
    await db.close();
    const environment = { DATABASE_URL: url, DATA_DIR: await temporaryFolder(t), HASH_THREADS: '1' };
    const service = await startService(environment);
    t.after(async () => void (await service.stop('SIGKILL')));
    const history = new History();
    for (let i = 0; i < 3; i += 1) await history.once(service.baseUrl);
    assert.equal(history.refused, 0);
    await history.check(service.baseUrl);
  });
