import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { sql as rawSql } from 'kysely';
import { useDatabase, withDatabase, withEmptyDatabase } from '../../test/support/engines.ts';
import { source, startScript } from '../../test/support/script.ts';
import { threadsStartedBy } from '../../test/support/thread.ts';
import type { CoreTables } from '../../test/support/tables.ts';
import { isProblem } from '../kit/problem.ts';
import type { Database } from './database.ts';
import { migratedModules } from '../app/migrations.ts';
import { connectDatabase, openDatabase, sqlitePath } from './open-database.ts';
import { statementsFor } from './statement.ts';

const { statement } = statementsFor<CoreTables>();

const insertUser = statement((sql, p: { email: string }) =>
  sql
    .insertInto('users')
    .values({ email: p.email, email_key: p.email, created_at: 1, password_changed_at: 1 })
    .returning('email'),
);
const selectEmails = statement((sql) => sql.selectFrom('users').select('email').orderBy('id'));

async function emails(db: Database): Promise<string[]> {
  return (await db.run(selectEmails, {})).map(({ email }) => email);
}

const isUnavailable = (error: unknown): boolean => isProblem(error, 'unavailable');

/** Value of a pragma on the connection that answers. */
async function pragma(db: Database, name: string): Promise<unknown> {
  const [row] = await db.query((sql) =>
    sql.selectNoFrom(rawSql`(select * from ${rawSql.raw(`pragma_${name}`)})`.as('value')),
  );
  return row?.value;
}

describe('the writing connection', () => {
  const opened = useDatabase('sqlite');
  /** SQLite's number for `synchronous = full`. */
  const full = 2;

  test('waits for the disk at each commit, keeps a log beside the file, and holds foreign keys', async () => {
    const values = await opened().database.transaction(async (tx) => [
      await pragma(tx, 'synchronous'),
      await pragma(tx, 'journal_mode'),
      await pragma(tx, 'foreign_keys'),
    ]);
    assert.deepEqual(values, [full, 'wal', 1]);
  });

  test('waits for the disk again after what was only noted, and after a note that failed', async () => {
    const { database } = opened();
    for (const email of ['a', 'a', 'b']) await database.note(insertUser, { email }).catch(() => {});
    assert.equal(await database.transaction((tx) => pragma(tx, 'synchronous')), full);
    const [, , level] = await Promise.all([
      database.note(insertUser, { email: 'c' }),
      database.run(insertUser, { email: 'd' }),
      database.transaction((tx) => pragma(tx, 'synchronous')),
    ]);
    assert.equal(level, full);
  });

  test('has the same rules after its thread was replaced', async () => {
    const path = sqlitePath(opened().url) ?? '';
    const { value: db, threads } = await threadsStartedBy(() => connectDatabase(`sqlite:${path}`));
    await threads[0]?.terminate();
    const values = await db.transaction(async (tx) => [
      await pragma(tx, 'synchronous'),
      await pragma(tx, 'foreign_keys'),
    ]);
    assert.deepEqual(values, [full, 1]);
    await db.close();
  });

  test('is the only one: the reading connection cannot change anything', async () => {
    const path = sqlitePath(opened().url) ?? '';
    using direct = new DatabaseSync(path);
    direct.exec('begin immediate');
    assert.deepEqual(await emails(opened().database), []);
    direct.exec('rollback');
  });

  test('waits for another process that holds the file, while reads go on', async () => {
    using direct = new DatabaseSync(sqlitePath(opened().url) ?? '');
    const { database } = opened();
    direct.exec('begin immediate');
    let isWritten = false;
    const write = database.run(insertUser, { email: 'a' }).then(() => (isWritten = true));
    for (let i = 0; i < 20; i += 1) {
      assert.deepEqual(await emails(database), []);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(isWritten, false);
    direct.exec('commit');
    await write;
    assert.deepEqual(await emails(database), ['a']);
  });

  test('a value that cannot be sent to it fails its own call, and the next answers reach their callers', async () => {
    const { database } = opened();
    const faulty: unknown = { email: () => 'a' };
    await assert.rejects(database.run(insertUser, faulty as { email: string }), /could not be cloned/);
    const rows = await Promise.all(['b', 'c'].map((email) => database.first(insertUser, { email })));
    assert.deepEqual(
      rows.map((row) => row?.email),
      ['b', 'c'],
    );
  });
});

describe('a writing thread that dies', () => {
  test('fails the writes under way as unavailable, and the next write works', () =>
    withDatabase('sqlite', async (_first, url) => {
      const { value: db, threads } = await threadsStartedBy(() => connectDatabase(url));
      const [writer] = threads;
      const begun = Promise.withResolvers<void>();
      const transaction = db.transaction(async (tx) => {
        await tx.run(insertUser, { email: 'lost' });
        begun.resolve();
        for (;;) await tx.run(selectEmails, {});
      });
      const isRefused = assert.rejects(transaction, isUnavailable);
      const queued = db.run(insertUser, { email: 'queued' });
      await begun.promise;
      await writer?.terminate();
      await isRefused;
      await queued;
      await db.run(insertUser, { email: 'next' });
      assert.deepEqual(await emails(db), ['queued', 'next']);
      await db.close();
    }));

  test('takes its transaction with it: nothing of the work goes on in the next thread', () =>
    withDatabase('sqlite', async (_first, url) => {
      const { value: db, threads } = await threadsStartedBy(() => connectDatabase(url));
      const transaction = db.transaction(async (tx) => {
        await tx.execute('create table first_half (id integer)');
        await threads[0]?.terminate();
        await tx.execute('create table second_half (id integer)');
      });
      await assert.rejects(transaction, isUnavailable);
      await db.transaction(async (tx) => {
        for (const half of ['first_half', 'second_half'])
          await tx.execute(`create table ${half} (id integer)`);
      });
      await db.close();
    }));

  test('does not disturb reads, nor the closing', () =>
    withDatabase('sqlite', async (first, url) => {
      await first.run(insertUser, { email: 'a' });
      const { value: db, threads } = await threadsStartedBy(() => connectDatabase(url));
      await threads[0]?.terminate();
      assert.deepEqual(await emails(db), ['a']);
      await db.close();
    }));
});

/** Bytes of a file; -1 where there is none. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? -1;
}

describe('a process that is killed', () => {
  const open = `
    import { openDatabase } from '${source('db/open-database.ts')}';
    import { migratedModules } from '${source('app/migrations.ts')}';
    console.log('begin');
    const database = await openDatabase(process.argv[1], migratedModules);
    console.log('open');
    setInterval(() => {}, 1000);`;

  const moments: Record<string, (path: string) => boolean> = {
    'before anything is there': () => true,
    'when its file has appeared': (path) => sizeOf(path) >= 0,
    'when its file has our mark': (path) => sizeOf(path) > 0,
    'when the log beside it has appeared': (path) => sizeOf(`${path}-wal`) >= 0,
    'when the first migration is in the log': (path) => sizeOf(`${path}-wal`) > 0,
    'when it is open': () => false,
  };
  for (const [title, isNow] of Object.entries(moments)) {
    test(`in its first start, ${title}, leaves what the next start accepts`, () =>
      withEmptyDatabase('sqlite', async (url) => {
        const path = sqlitePath(url) ?? '';
        const script = startScript(open, url);
        await script.printed('begin');
        const end = { hasCome: false };
        void script.ended.then(() => (end.hasCome = true));
        while (!isNow(path) && !script.lines.includes('open') && !end.hasCome) await setImmediate();
        assert.ok(!end.hasCome, script.lines.join('\n'));
        script.kill();
        await script.ended;
        const db = await openDatabase(url, migratedModules);
        await db.run(insertUser, { email: 'a' });
        assert.deepEqual(await emails(db), ['a']);
        await db.close();
      }));
  }

  test('keeps what was acknowledged, and no half of a transaction', () =>
    withEmptyDatabase('sqlite', async (url) => {
      const script = startScript(
        `
        import { openDb } from '${source('index.ts')}';
        const db = await openDb(process.argv[1]);
        for (let i = 1; ; i += 1) {
          const user = await db.addUser('user' + i + '@example.org', 'hash');
          await db.updateUser(user.id, { sessionId: 'session' + i, resetToken: 'token' + i });
          console.log('done ' + i);
        }`,
        url,
      );
      await script.printed('done 20');
      script.kill();
      await script.ended;
      const acknowledged = script.lines.length;
      const db = await openDatabase(url, migratedModules);
      const count = async (table: 'users' | 'sessions' | 'one_time_tokens'): Promise<number> =>
        (await db.query((sql) => sql.selectFrom(table).select('id'))).length;
      const [users, sessions, tokens] = [
        await count('users'),
        await count('sessions'),
        await count('one_time_tokens'),
      ];
      assert.ok(users >= acknowledged && sessions >= acknowledged, `${acknowledged} ${users} ${sessions}`);
      assert.equal(sessions, tokens);
      await db.close();
      using direct = new DatabaseSync(sqlitePath(url) ?? '');
      assert.equal(direct.prepare('pragma integrity_check').get()?.['integrity_check'], 'ok');
    }));
});
