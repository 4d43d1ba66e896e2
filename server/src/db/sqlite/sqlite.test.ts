import assert from 'node:assert/strict';
import { anyHash } from '../../../test/support/hashing.ts';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { sql as rawSql } from 'kysely';
import { useDatabase, withDatabase, withEmptyDatabase } from '../../../test/support/engines.ts';
import { source, startScript } from '../../../test/support/script.ts';
import type { Worker } from 'node:worker_threads';
import { threadsStartedBy } from '../../../test/support/thread.ts';
import type { CoreTables } from '../../../test/support/tables.ts';
import { isProblem } from '../../kit/problem.ts';
import type { Database } from '../database.ts';
import { migratedModules } from '../../app/migrations.ts';
import { openDb } from '../../index.ts';
import { applicationId, checkExistingFile, examineSqliteFile } from './sqlite-file.ts';
import { endIdleThreads, Writer } from './writer-thread.ts';
import { connectDatabase, migrateDatabase, openDatabase, sqlitePath } from '../open-database.ts';
import { statementsFor } from '../statement.ts';

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

/** Returns the value of a pragma on the connection that answers. */
async function pragma(db: Database, name: string): Promise<unknown> {
  const [row] = await db.query((sql) =>
    sql.selectNoFrom(rawSql`(select * from ${rawSql.raw(`pragma_${name}`)})`.as('value')),
  );
  return row?.value;
}

/** Opens a database whose writer is a new thread. */
async function openWithThread(url: string): Promise<{ db: Database; thread: Worker | undefined }> {
  await endIdleThreads();
  const { value: db, threads } = await threadsStartedBy(() => connectDatabase(url));
  return { db, thread: threads[0] };
}

describe('the SQLite writer', () => {
  const opened = useDatabase('sqlite');
  /** Value of `pragma synchronous` for FULL. */
  const full = 2;

  test('flushes each commit, uses WAL mode and enforces foreign keys', async () => {
    const values = await opened().database.transaction(async (tx) => [
      await pragma(tx, 'synchronous'),
      await pragma(tx, 'journal_mode'),
      await pragma(tx, 'foreign_keys'),
    ]);
    assert.deepEqual(values, [full, 'wal', 1]);
  });

  test('flushes commits again after note(), also if it failed', async () => {
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

  test('has the same settings after its thread was replaced', async () => {
    const path = sqlitePath(opened().url) ?? '';
    const { db, thread } = await openWithThread(`sqlite:${path}`);
    await thread?.terminate();
    const values = await db.transaction(async (tx) => [
      await pragma(tx, 'synchronous'),
      await pragma(tx, 'foreign_keys'),
    ]);
    assert.deepEqual(values, [full, 1]);
    await db.close();
  });

  test('is the only connection that can write: the reader is read-only', async () => {
    const path = sqlitePath(opened().url) ?? '';
    using direct = new DatabaseSync(path);
    direct.exec('begin immediate');
    assert.deepEqual(await emails(opened().database), []);
    direct.exec('rollback');
  });

  test('waits for another process that locks the file, while reads continue', async () => {
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

  test('rejects a value that cannot be sent to its thread, and later replies reach their callers', async () => {
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

describe('a transaction of SQLite', () => {
  const opened = useDatabase('sqlite');

  test('commits nothing that follows after SQLite has rolled it back', async () => {
    const { database } = opened();
    const work = database.transaction(async (tx) => {
      await tx.run(insertUser, { email: 'a' });
      await assert.rejects(
        tx.execute('insert or rollback into users (email, email_key) select email, email_key from users'),
      );
      await assert.rejects(tx.run(insertUser, { email: 'b' }), /rolled back/);
      await assert.rejects(tx.execute('create table leftover (id integer)'), /rolled back/);
    });
    await assert.rejects(work, /rolled back/);
    assert.deepEqual(await emails(database), []);
    await database.transaction((tx) => tx.execute('create table leftover (id integer)'));
  });

  test('commits nothing if it cannot begin, also of statements that were sent with the first', async () => {
    const path = sqlitePath(opened().url) ?? '';
    using direct = new DatabaseSync(path);
    direct.exec('begin immediate');
    const writer = new Writer({ path, busyTimeoutMs: 10, applicationId });
    const create = (table: string, place: 'first' | 'later'): Promise<unknown> =>
      writer.send({ text: `create table ${table} (id integer)`, values: [], prepared: false, place });
    const sent = [create('one', 'first'), create('two', 'later')];
    const [first, second] = await Promise.allSettled(sent);
    direct.exec('rollback');
    assert.match(String(first?.status === 'rejected' && first.reason), /locked/);
    assert.match(String(second?.status === 'rejected' && second.reason), /rolled back/);
    await assert.rejects(create('three', 'later'), /rolled back/);
    await create('one', 'first');
    await create('two', 'later');
    await writer.close();
    direct.exec('create table one (id integer); create table two (id integer)');
  });

  test('without a statement waits for no other process', async () => {
    using direct = new DatabaseSync(sqlitePath(opened().url) ?? '');
    direct.exec('begin immediate');
    assert.equal(await opened().database.transaction(async () => 'done'), 'done');
  });
});

describe('a SQLite writer thread that dies', () => {
  test('fails the running writes as unavailable, and the next write works', () =>
    withDatabase('sqlite', async (_first, url) => {
      const { db, thread } = await openWithThread(url);
      const begun = Promise.withResolvers<void>();
      const transaction = db.transaction(async (tx) => {
        await tx.run(insertUser, { email: 'lost' });
        begun.resolve();
        for (;;) await tx.run(selectEmails, {});
      });
      const isRefused = assert.rejects(transaction, isUnavailable);
      const queued = db.run(insertUser, { email: 'queued' });
      await begun.promise;
      await thread?.terminate();
      await isRefused;
      await queued;
      await db.run(insertUser, { email: 'next' });
      assert.deepEqual(await emails(db), ['queued', 'next']);
      await db.close();
    }));

  test('ends its transaction: the work does not continue in the next thread', () =>
    withDatabase('sqlite', async (_first, url) => {
      const { db, thread } = await openWithThread(url);
      const transaction = db.transaction(async (tx) => {
        await tx.execute('create table first_half (id integer)');
        await thread?.terminate();
        await tx.execute('create table second_half (id integer)');
      });
      await assert.rejects(transaction, isUnavailable);
      await db.transaction(async (tx) => {
        for (const half of ['first_half', 'second_half'])
          await tx.execute(`create table ${half} (id integer)`);
      });
      await db.close();
    }));

  test('does not affect reads or closing', () =>
    withDatabase('sqlite', async (first, url) => {
      await first.run(insertUser, { email: 'a' });
      const { db, thread } = await openWithThread(url);
      await thread?.terminate();
      assert.deepEqual(await emails(db), ['a']);
      await db.close();
    }));
});

describe('a SQLite writer thread whose file was closed', () => {
  const selectOne = { text: 'select 1 as one', values: [], prepared: true };
  const dataOf = (url: string) => ({ path: sqlitePath(url) ?? '', busyTimeoutMs: 10, applicationId });

  test('writes to the next file, with the settings and statements of that file', () =>
    withDatabase('sqlite', (_first, firstUrl) =>
      withDatabase('sqlite', async (_second, secondUrl) => {
        await endIdleThreads();
        const insert = { text: 'insert into made (id) values (1)', values: [], prepared: true };
        const { threads } = await threadsStartedBy(async () => {
          for (const url of [firstUrl, secondUrl]) {
            const writer = new Writer(dataOf(url));
            await writer.send({ text: 'create table made (id integer)', values: [], prepared: false });
            await writer.send({ ...insert, mayBeLost: true });
            await writer.close();
          }
          const db = await connectDatabase(firstUrl);
          assert.equal(await db.transaction((tx) => pragma(tx, 'synchronous')), 2);
          await db.close();
        });
        assert.equal(threads.length, 1);
        for (const url of [firstUrl, secondUrl]) {
          using direct = new DatabaseSync(sqlitePath(url) ?? '');
          assert.equal(direct.prepare('select count(*) as count from made').get()?.['count'], 1);
        }
      }),
    ));

  test('rolls back a transaction that was open, and answers nothing more', () =>
    withDatabase('sqlite', async (_database, url) => {
      const writer = new Writer(dataOf(url));
      await writer.send({
        text: 'create table half (id integer)',
        values: [],
        prepared: false,
        place: 'first',
      });
      await writer.close();
      await writer.close();
      await assert.rejects(writer.send(selectOne), isUnavailable);
      const next = new Writer(dataOf(url));
      await next.send({ text: 'create table half (id integer)', values: [], prepared: false });
      await next.close();
    }));

  test('is not used if it ends, or if its file could not be opened', () =>
    withDatabase('sqlite', async (_database, url) => {
      const { db, thread } = await openWithThread(url);
      await db.close();
      await thread?.terminate();
      const faulty = new Writer({ ...dataOf(url), path: '/dev/null/none' });
      await assert.rejects(faulty.send(selectOne), isUnavailable);
      await faulty.close();
      const writer = new Writer(dataOf(url));
      assert.deepEqual(
        (await writer.send(selectOne)).map((row) => row['one']),
        [1],
      );
      await writer.close();
    }));

  test('does not keep the process alive', () =>
    withDatabase('sqlite', async (_database, url) => {
      const script = startScript(
        `
        import { connectDatabase } from '${source('db/open-database.ts')}';
        for (let i = 0; i < 3; i += 1) await (await connectDatabase(process.argv[1])).close();
        console.log('closed');`,
        url,
      );
      await script.printed('closed');
      await script.ended;
    }));
});

describe('a SQLite file that is open', () => {
  const opened = useDatabase('sqlite');

  /** What this process may do with the file while it has the database open. */
  const uses: Record<string, (url: string, path: string) => unknown> = {
    'opened again': async (url) => (await connectDatabase(url)).close(),
    'opened again by the library': async (url) => (await openDb(url)).close(),
    'migrated again': (url) => migrateDatabase(url, migratedModules),
    'checked by a start': (_url, path) => checkExistingFile(path),
    'examined for damage': (_url, path) => examineSqliteFile(path),
  };

  // Without its locks, another program could take the file for unused, and remove the WAL file.
  for (const [title, use] of Object.entries(uses)) {
    test(
      `keeps its locks while it is ${title}`,
      {
        skip: !existsSync('/proc/locks') && 'only Linux lists the locks of files',
      },
      async () => {
        const { database, url } = opened();
        const path = sqlitePath(url) ?? '';
        await database.run(insertUser, { email: 'a' });
        assert.equal(locksOn(path), 1);
        await use(url, path);
        assert.equal(locksOn(path), 1);
      },
    );
  }
});

/** Returns the number of locks on a file (Linux, proc_locks(5)). */
function locksOn(path: string): number {
  const inode = `:${statSync(path).ino} `;
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .filter((line) => line.includes(inode)).length;
}

/** Returns the size of a file in bytes; -1 if it does not exist. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? -1;
}

describe('a killed process with a SQLite file', () => {
  const open = `
    import { openDatabase } from '${source('db/open-database.ts')}';
    import { migratedModules } from '${source('app/migrations.ts')}';
    console.log('begin');
    const database = await openDatabase(process.argv[1], migratedModules);
    console.log('open');
    setInterval(() => {}, 1000);`;

  const moments: Record<string, (path: string) => boolean> = {
    'before a file exists': () => true,
    'after its file was created': (path) => sizeOf(path) >= 0,
    'after its file has an application id': (path) => sizeOf(path) > 0,
    'after its WAL file was created': (path) => sizeOf(`${path}-wal`) >= 0,
    'after the first migration was written to the WAL': (path) => sizeOf(`${path}-wal`) > 0,
    'after it was opened': () => false,
  };
  for (const [title, isNow] of Object.entries(moments)) {
    test(`leaves a usable file if killed during the first start ${title}`, () =>
      withEmptyDatabase('sqlite', async (url) => {
        const path = sqlitePath(url) ?? '';
        const script = startScript(open, url);
        await script.printed('begin');
        const end = { hasCome: false };
        const ended = script.ended.finally(() => (end.hasCome = true));
        while (!isNow(path) && !script.lines.includes('open') && !end.hasCome) await setImmediate();
        assert.ok(!end.hasCome, script.lines.join('\n'));
        script.kill();
        await ended;
        const db = await openDatabase(url, migratedModules);
        await db.run(insertUser, { email: 'a' });
        assert.deepEqual(await emails(db), ['a']);
        await db.close();
      }));
  }

  test('keeps every acknowledged write and no partial transaction', () =>
    withEmptyDatabase('sqlite', async (url) => {
      const script = startScript(
        `
        import { openDb } from '${source('index.ts')}';
        const db = await openDb(process.argv[1]);
        for (let i = 1; ; i += 1) {
          const user = await db.addUser('user' + i + '@example.org', '${anyHash}');
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
