import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEachEngine, withEmptyDatabase, type EngineName } from '../../test/support/engines.ts';
import {
  formerKey,
  formerSecrets,
  formerSteps,
  formerTables,
  writeFormerDatabase,
} from '../../test/support/former-database.ts';
import { source, startScript } from '../../test/support/script.ts';
import { migratedModules } from '../app/migrations.ts';
import { Audit } from '../audit/audit.ts';
import { Keyring, parseKeys } from '../kit/keyring.ts';
import type { Database, Sql } from './database.ts';
import { migrationTimes } from './database-times.ts';
import { migrate, NewerSchema, readVersions, schemaDifferences } from './migrate.ts';
import { concurrentIndex, hasIndex, hasTable, type MigratedModule, type Migration } from './migration.ts';
import { connectDatabase, migrateDatabase, openDatabase } from './open-database.ts';
import { tableNames } from '../../test/support/contents.ts';

const allSteps = migratedModules.flatMap(({ name: module, migrations }) =>
  migrations.map(({ name }) => `${module}: ${name}`),
);
const allVersions = new Map(migratedModules.map(({ name, migrations }) => [name, migrations.length]));

/** Runs the work on an open, empty database that is not migrated. */
function withConnection(
  engine: EngineName,
  work: (db: Database, url: string) => Promise<void>,
): Promise<void> {
  return withEmptyDatabase(engine, async (url) => {
    const db = await connectDatabase(url, { times: migrationTimes() });
    try {
      await work(db, url);
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
const index = concurrentIndex('one_by_id', 'one (id)');

function modules(...migrations: Migration[]): readonly MigratedModule[] {
  return [{ name: 'sample', migrations }];
}

onEachEngine('migrations', (engine) => {
  test('of an empty database run all steps in order; a second start runs none', () =>
    withEmptyDatabase(engine, async (url) => {
      assert.deepEqual(await migrateDatabase(url, migratedModules), allSteps);
      assert.deepEqual(await migrateDatabase(url, migratedModules), []);
      const db = await connectDatabase(url);
      assert.deepEqual(await readVersions(db), allVersions);
      assert.deepEqual(await schemaDifferences(db, migratedModules), []);
      await db.close();
    }));

  test('of an older database run only the missing steps and keep its data', () =>
    withConnection(engine, async (db) => {
      assert.deepEqual(await migrate(db, modules(first)), ['sample: first']);
      await db.execute('insert into one values (7)');
      assert.deepEqual(await schemaDifferences(db, modules(first, second)), [
        { module: 'sample', found: 1, known: 2 },
      ]);
      assert.deepEqual(await migrate(db, modules(first, second)), ['sample: second']);
      assert.deepEqual(await readVersions(db), new Map([['sample', 2]]));
      assert.ok((await hasTable(db, 'one')) && (await hasTable(db, 'two')));
    }));

  test('are numbered per module, and a removed module keeps its tables', () =>
    withConnection(engine, async (db) => {
      const other = {
        name: 'other',
        migrations: [{ ...second, statements: () => ['create table two (id integer)'] }],
      };
      assert.deepEqual(await migrate(db, [...modules(first), other]), ['sample: first', 'other: second']);
      const third = { name: 'third', statements: () => ['create table three (id integer)'] };
      assert.deepEqual(await migrate(db, modules(first, third)), ['sample: third']);
      assert.deepEqual(
        await readVersions(db),
        new Map([
          ['sample', 2],
          ['other', 1],
        ]),
      );
      assert.equal(await hasTable(db, 'two'), true);
    }));

  test('are rolled back as a whole if a step fails, and can be run again', () =>
    withConnection(engine, async (db) => {
      await migrate(db, modules(first));
      await assert.rejects(migrate(db, modules(first, second, faulty)), /nonsense/);
      assert.deepEqual(await readVersions(db), new Map([['sample', 1]]));
      assert.deepEqual([await hasTable(db, 'two'), await hasTable(db, 'three')], [false, false]);
      assert.deepEqual(await migrate(db, modules(first, second)), ['sample: second']);
    }));

  test('reject a database of a newer release with the name of the module, and leave it unchanged', () =>
    withConnection(engine, async (db) => {
      await migrate(db, modules(first, second));
      const older = [{ name: 'new', migrations: [faulty] }, ...modules(first)];
      await assert.rejects(migrate(db, older), (error) => {
        assert.ok(error instanceof NewerSchema);
        assert.match(
          error.message,
          /version 2 of the schema of "sample", but this release supports versions up to 1\. Start the newer release, or restore/,
        );
        return true;
      });
      assert.deepEqual(await readVersions(db), new Map([['sample', 2]]));
      assert.equal(await hasTable(db, 'two'), true);
    }));

  test('may include a step outside of the transaction between others', () =>
    withConnection(engine, async (db) => {
      const steps = ['sample: first', 'sample: index one_by_id', 'sample: second'];
      assert.deepEqual(await migrate(db, modules(first, index, second)), steps);
      assert.equal(await hasIndex(db, 'one_by_id'), true);
      assert.deepEqual(await migrate(db, modules(first, index, second)), []);
    }));

  test('resume at an interrupted step outside of the transaction, whether or not it was complete', () =>
    withConnection(engine, async (db) => {
      const broken: Migration = {
        name: 'index one_by_id',
        isOutsideTransaction: true,
        statements: () => ['create nonsense'],
      };
      await assert.rejects(migrate(db, modules(first, broken, second)), /nonsense/);
      // PostgreSQL commits the steps before it; SQLite runs all of them in one transaction.
      assert.equal(await hasTable(db, 'one'), engine === 'postgres');
      assert.equal(await hasTable(db, 'two'), false);
      await migrate(db, modules(first));
      await db.execute('create index one_by_id on one (id)'); // complete, but its version is not stored yet
      assert.deepEqual(await migrate(db, modules(first, index, second)), [
        'sample: index one_by_id',
        'sample: second',
      ]);
    }));

  test('of six concurrent callers run each step once, also a step outside of the transaction', () =>
    withConnection(engine, async (db, url) => {
      const all = await Promise.all(
        Array.from({ length: 5 }, () => connectDatabase(url, { times: migrationTimes() })),
      );
      const done = await Promise.all([db, ...all].map((one) => migrate(one, modules(first, index, second))));
      // Another instance may go on after the step outside of the transaction.
      assert.deepEqual(done.flat().toSorted(), [
        'sample: first',
        'sample: index one_by_id',
        'sample: second',
      ]);
      await Promise.all(all.map((one) => one.close()));
    }));

  test('of six concurrent openings of an empty database run once, and all six can use it', () =>
    withEmptyDatabase(engine, async (url) => {
      const opened = await Promise.all(Array.from({ length: 6 }, () => openDatabase(url, migratedModules)));
      for (const db of opened) assert.deepEqual(await readVersions(db), allVersions);
      const done = await Promise.all(opened.map((db) => migrate(db, migratedModules)));
      assert.deepEqual(done.flat(), []);
      await Promise.all(opened.map((db) => db.close()));
    }));

  test('of two processes that start concurrently run each step once', () =>
    withEmptyDatabase(engine, async (url) => {
      const text = `
        import { migrateDatabase } from '${source('db/open-database.ts')}';
        import { migratedModules } from '${source('app/migrations.ts')}';
        const migrated = () => migrateDatabase(process.argv[1], migratedModules);
        const done = await Promise.all([migrated(), migrated()]);
        console.log(JSON.stringify(done.flat()));`;
      const scripts = [startScript(text, url), startScript(text, url)];
      assert.deepEqual(await Promise.all(scripts.map(({ ended }) => ended)), [0, 0]);
      // Another process may go on after a step outside of the transaction.
      const done = scripts.flatMap(({ lines }) => JSON.parse(lines[0] ?? '') as string[]);
      assert.deepEqual(done.toSorted(), allSteps.toSorted());
    }));

  test('of a process that is killed during a step are rolled back', () =>
    withEmptyDatabase(engine, async (url) => {
      const script = startScript(
        `
        import { connectDatabase } from '${source('db/open-database.ts')}';
        import { migrate } from '${source('db/migrate.ts')}';
        const db = await connectDatabase(process.argv[1]);
        const step = (name) => ({ name, statements: () => ['create table ' + name + ' (id integer)'] });
        const modules = (...migrations) => [{ name: 'sample', migrations }];
        await migrate(db, modules(step('one')));
        await migrate(db, modules(step('one'), step('two'), {
          name: 'long',
          *statements() { yield 'create table three (id integer)'; console.log('half'); for (;;) yield 'update one set id = 1'; },
        }));`,
        url,
      );
      await script.printed('half');
      script.kill();
      await script.ended;
      const db = await connectDatabase(url);
      assert.deepEqual(await readVersions(db), new Map([['sample', 1]]));
      assert.deepEqual(
        [await hasTable(db, 'one'), await hasTable(db, 'two'), await hasTable(db, 'three')],
        [true, false, false],
      );
      assert.deepEqual(await migrate(db, modules(first, second)), ['sample: second']);
      await db.close();
    }));
});

onEachEngine('a database of release 4f8c6a4', (engine) => {
  test('migrates from any number of its steps to the same columns as a new database', async () => {
    const columnsOf = (tables: readonly string[], db: Database): Promise<string[][]> =>
      Promise.all(tables.map((table) => columns(db, table)));
    let names: string[] = [];
    let expected: string[][] = [];
    await withConnection(engine, async (db) => {
      await migrate(db, migratedModules);
      const now = tableNames(db); // without those of a feature that was removed
      names = Object.keys(formerTables).filter((name) => now.includes(name));
      assert.ok(names.length >= 8);
      expected = await columnsOf(names, db);
    });
    for (let steps = 1; steps <= formerSteps.length; steps += 6) {
      await withConnection(engine, async (db) => {
        await writeFormerDatabase(db, steps);
        await migrate(db, migratedModules);
        assert.deepEqual(await readVersions(db), allVersions);
        assert.deepEqual(await columnsOf(names, db), expected);
      });
    }
  });

  test('keeps every row, a valid audit log and readable secrets', () =>
    withConnection(engine, async (db) => {
      await writeFormerDatabase(db);
      await migrate(db, migratedModules);
      for (const [table, rows] of Object.entries(formerTables)) {
        if (table === 'bienvenue_schema' || rows.length === 0) continue;
        const names = Object.keys(rows[0] ?? {});
        const now = await db.query((sql: Sql<Record<string, Record<string, unknown>>>) =>
          sql.selectFrom(table).select(names),
        );
        const byKey = (list: readonly object[]): string[] =>
          list.map((row) => JSON.stringify(row)).toSorted();
        assert.deepEqual(byKey(now.map(hexed)), byKey(rows), table);
      }
      const ring = new Keyring(parseKeys(formerKey));
      const verdict = await new Audit({
        database: db,
        clock: () => Date.now(),
        keptDays: 365,
        mac: {
          sign: (text) => ring.mac('audit', text),
          check: (text, mac) => ring.checkMac('audit', text, mac),
        },
      }).verify();
      assert.deepEqual(verdict.faults, []);
      assert.equal(verdict.sealed + verdict.unsealed, formerTables['audit_events']?.length);
      const [seed] = formerTables['totp_authenticators'] ?? [];
      assert.equal(ring.decrypt('totp', String(seed?.['seed']), String(seed?.['id'])), formerSecrets.seed);
    }));

  test('is rejected by that release after the upgrade', () =>
    withConnection(engine, async (db) => {
      await writeFormerDatabase(db);
      await migrate(db, migratedModules);
      const [row] = await db.query((sql) => sql.selectFrom('bienvenue_schema').select('version'));
      assert.ok((row?.version ?? 0) > formerSteps.length);
    }));
});

/** Returns the names of the columns of a table, in their order. */
async function columns(db: Database, table: string): Promise<string[]> {
  const rows = await db.query((sql: Sql<Record<string, Record<string, unknown>>>) =>
    db.engine.name === 'sqlite'
      ? sql.selectFrom(`pragma_table_info`).select('name').where('arg', '=', table)
      : sql
          .selectFrom('information_schema.columns')
          .select('column_name as name')
          .where('table_name', '=', table)
          .orderBy('ordinal_position'),
  );
  return rows.map((row) => String(row['name']));
}

/** Converts a row to the form of the fixture, with bytes as `{ hex }`. */
function hexed(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? { hex: Buffer.from(value).toString('hex') } : value,
    ]),
  );
}
