import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEachEngine, withEmptyDatabase, type EngineName } from '../../test/support/engines.ts';
import { source, startScript } from '../../test/support/script.ts';
import type { Database } from './database.ts';
import { latestVersion, migrate, NewerSchema, schemaVersion } from './migrate.ts';
import { migrations, type Migration } from './migrations.ts';
import { connectDatabase, migrateDatabase, openDatabase } from './open-database.ts';

const names = migrations.map(({ name }) => name);

/** Runs the work on an empty database that is open and not migrated. */
function withConnection(engine: EngineName, work: (db: Database) => Promise<void>): Promise<void> {
  return withEmptyDatabase(engine, async (url) => {
    const db = await connectDatabase(url);
    try {
      await work(db);
    } finally {
      await db.close();
    }
  });
}

const first: Migration = { name: 'first', statements: ({ integer }) => [`create table one (id ${integer})`] };
const second: Migration = {
  name: 'second',
  statements: ({ integer }) => [`create table two (id ${integer})`, 'insert into one values (1)'],
};
const faulty: Migration = {
  name: 'faulty',
  statements: ({ integer }) => [`create table three (id ${integer})`, 'create nonsense'],
};

/** True when the table is there. */
async function has(db: Database, table: string): Promise<boolean> {
  return db.execute(`select count(*) from ${table}`).then(
    () => true,
    () => false,
  );
}

onEachEngine('the migrations', (engine) => {
  test('of an empty database are all steps, in order; a second start finds nothing to do', () =>
    withEmptyDatabase(engine, async (url) => {
      assert.deepEqual(await migrateDatabase(url), names);
      assert.deepEqual(await migrateDatabase(url), []);
      const db = await connectDatabase(url);
      assert.equal(await schemaVersion(db), latestVersion);
      await db.close();
    }));

  test('of an older database are the missing steps alone, and what was there stays', () =>
    withConnection(engine, async (db) => {
      assert.deepEqual(await migrate(db, [first]), ['first']);
      await db.execute('insert into one values (7)');
      assert.deepEqual(await migrate(db, [first, second]), ['second']);
      assert.equal(await schemaVersion(db), 2);
      assert.ok((await has(db, 'one')) && (await has(db, 'two')));
    }));

  test('that meet a fault leave nothing of any missing step, rise with the fault, and can be run again', () =>
    withConnection(engine, async (db) => {
      await migrate(db, [first]);
      await assert.rejects(migrate(db, [first, second, faulty]), /nonsense/);
      assert.equal(await schemaVersion(db), 1);
      assert.deepEqual([await has(db, 'two'), await has(db, 'three')], [false, false]);
      assert.deepEqual(await migrate(db, [first, second]), ['second']);
    }));

  test('of a database of a newer release are refused, and it is left unchanged', () =>
    withConnection(engine, async (db) => {
      await migrate(db, [first, second]);
      await assert.rejects(migrate(db, [first]), (error) => {
        assert.ok(error instanceof NewerSchema);
        assert.match(
          error.message,
          /has schema version 2, but this release supports versions up to 1\. Start the newer release, or restore/,
        );
        return true;
      });
      assert.equal(await schemaVersion(db), 2);
      assert.equal(await has(db, 'two'), true);
    }));

  test('of six that open an empty database at once are done once, and all six can use it', () =>
    withEmptyDatabase(engine, async (url) => {
      const opened = await Promise.all(Array.from({ length: 6 }, () => openDatabase(url)));
      for (const db of opened) assert.equal(await schemaVersion(db), latestVersion);
      const done = await Promise.all(opened.map((db) => migrate(db)));
      assert.deepEqual(done.flat(), []);
      await Promise.all(opened.map((db) => db.close()));
    }));

  test('of six that migrate an empty database at once are reported by one', () =>
    withEmptyDatabase(engine, async (url) => {
      const done = await Promise.all(Array.from({ length: 6 }, () => migrateDatabase(url)));
      assert.deepEqual(done.flat(), names);
    }));

  test('of two processes that start at once are done by one, and the other waits for it', () =>
    withEmptyDatabase(engine, async (url) => {
      const text = `
        import { migrateDatabase } from '${source('db/open-database.ts')}';
        const done = await Promise.all([migrateDatabase(process.argv[1]), migrateDatabase(process.argv[1])]);
        console.log(done.flat().length);`;
      const scripts = [startScript(text, url), startScript(text, url)];
      assert.deepEqual(await Promise.all(scripts.map(({ ended }) => ended)), [0, 0]);
      const counts = scripts.map(({ lines }) => Number(lines[0]));
      assert.equal(Math.max(...counts), names.length);
      assert.equal(Math.min(...counts), 0);
    }));

  test('of a process that is killed in their middle leave nothing', () =>
    withEmptyDatabase(engine, async (url) => {
      const script = startScript(
        `
        import { connectDatabase } from '${source('db/open-database.ts')}';
        import { migrate } from '${source('db/migrate.ts')}';
        const db = await connectDatabase(process.argv[1]);
        const step = (name) => ({ name, statements: () => ['create table ' + name + ' (id integer)'] });
        await migrate(db, [step('one')]);
        await migrate(db, [step('one'), step('two'), {
          name: 'long',
          *statements() { yield 'create table three (id integer)'; console.log('half'); for (;;) yield 'update one set id = 1'; },
        }]);`,
        url,
      );
      await script.printed('half');
      script.kill();
      await script.ended;
      const db = await connectDatabase(url);
      assert.equal(await schemaVersion(db), 1);
      assert.deepEqual(
        [await has(db, 'one'), await has(db, 'two'), await has(db, 'three')],
        [true, false, false],
      );
      assert.deepEqual(await migrate(db, [first, second]), ['second']);
      await db.close();
    }));
});
