// A release is killed while it upgrades an older database. It leaves a schema that it has committed, with every account,
// and the next start finishes the work.
import assert from 'node:assert/strict';
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { randomInt } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { migratedModules } from '../../src/app/migrations.ts';
import { migrate, schemaDifferences } from '../../src/db/migrate.ts';
import type { MigratedModule } from '../../src/db/migration.ts';
import { connectDatabase, migrateDatabase } from '../../src/db/open-database.ts';
import { onEachEngine, withEmptyDatabase, type EngineName } from '../support/engines.ts';
import { assertWhole } from './soundness.ts';
import { runtimeEnvironment } from '../support/runtime.ts';
import { injectInto, whyNoTracer } from './tracer.ts';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const waitingUpgrade = fileURLToPath(new URL('waiting-upgrade.ts', import.meta.url));
/** Accounts of the older database. */
const accounts = 200;
/** More writes than an upgrade makes. */
const maxWrites = 500;
/** An upgrade takes less than this many milliseconds; on a busy machine the kill comes before it begins. */
const longestMs = 900;

/** The schema of users in its first version. */
const oldModules: readonly MigratedModule[] = migratedModules
  .filter(({ name }) => name === 'user')
  .map(({ name, migrations }) => ({ name, migrations: migrations.slice(0, 1) }));

/** Makes a database of the first release's schema, with accounts. */
async function makeOld(url: string): Promise<void> {
  const database = await connectDatabase(url);
  await migrate(database, oldModules);
  const rows = Array.from(
    { length: accounts },
    (_, i) => `('old${i}@example.org', 'old${i}@example.org', 'hash', 1, 1)`,
  );
  await database.execute(
    `insert into users (email, email_key, hashed_password, created_at, password_changed_at) values ${rows.join()}`,
  );
  await database.close();
}

/**
 * Asserts that the database has one of the two schemas and all accounts; returns true for the new schema. On PostgreSQL it
 * may have one in between: an index that is created concurrently follows a commit.
 */
async function assertEither(engine: EngineName, url: string): Promise<boolean> {
  if (engine === 'sqlite') assertWhole(url);
  const database = await connectDatabase(url);
  const isNew = (await schemaDifferences(database, migratedModules)).length === 0;
  const isOld = (await schemaDifferences(database, oldModules)).length === 0;
  const users = await database.query((sql) => sql.selectFrom('users').select('id'));
  await database.close();
  if (engine === 'sqlite') assert.ok(isNew !== isOld);
  assert.equal(users.length, accounts);
  return isNew;
}

/**
 * Waits until the server has ended the connections of a killed program: it ends the statement that it runs first, which
 * may be the commit.
 */
async function untilServerEnds(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const others =
    "select 1 from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()";
  try {
    while ((await client.query(others)).rows.length > 0) await pause(20);
  } finally {
    await client.end();
  }
}

async function assertFinishes(engine: EngineName, url: string): Promise<void> {
  await migrateDatabase(url, migratedModules);
  assert.equal(await assertEither(engine, url), true);
}

function startUpgrade(url: string): ChildProcess {
  return spawn(process.execPath, [main, 'migrate'], {
    env: { ...runtimeEnvironment(), DATABASE_URL: url },
    stdio: 'ignore',
  });
}

/** Runs an upgrade that is killed at its n-th write. Returns whether it ended by itself. */
async function killAtWrite(url: string, n: number): Promise<boolean> {
  const child = fork(waitingUpgrade, {
    env: { ...runtimeEnvironment(), DATABASE_URL: url },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  await once(child, 'message');
  const ended = once(child, 'exit');
  const tracer = await injectInto({ child }, url, { call: 'pwrite64', fault: 'signal=KILL', n });
  child.send('start');
  await ended;
  await tracer.detach();
  return child.exitCode === 0;
}

/** Declares the tests: kills at every `stride`-th write, and `kills` at random moments. */
export function declareUpgrades({
  stride,
  kills,
}: {
  readonly stride: number;
  readonly kills: number;
}): void {
  const reason = whyNoTracer();
  const skip = reason === undefined ? false : `no write is chosen: ${reason}`;

  test(
    'a kill at any write of an upgrade leaves the old schema or the new one',
    { skip },
    async (t: TestContext) => {
      let [old, done] = [0, 0];
      for (let n = 1; n < maxWrites; n += stride) {
        const isOver = await withEmptyDatabase('sqlite', async (url) => {
          await makeOld(url);
          const isFinished = await killAtWrite(url, n);
          const isNew = await assertEither('sqlite', url);
          if (isNew) done += 1;
          else old += 1;
          await assertFinishes('sqlite', url);
          return isFinished;
        });
        if (isOver) break;
      }
      assert.ok(old > 0 && done > 0);
      t.diagnostic(`${old} were found old, ${done} new`);
    },
  );

  onEachEngine('an upgrade that is killed', (engine) => {
    test('at a random moment leaves a schema from which the next upgrade goes on', async () => {
      for (let n = 0; n < kills; n += 1) {
        await withEmptyDatabase(engine, async (url) => {
          await makeOld(url);
          const upgrade = startUpgrade(url);
          const ended = once(upgrade, 'exit');
          await Promise.race([ended, pause(randomInt(longestMs))]);
          upgrade.kill('SIGKILL');
          await ended;
          if (engine === 'postgres') await untilServerEnds(url);
          await assertEither(engine, url);
          await assertFinishes(engine, url);
        });
      }
    });
  });
}
