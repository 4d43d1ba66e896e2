import { sql as rawSql } from 'kysely';
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { useDatabase, withDatabase } from '../../../test/support/engines.ts';
import { postgresProxy, type PostgresProxy } from '../../../test/support/postgres-proxy.ts';
import type { CoreTables } from '../../../test/support/tables.ts';
import { isProblem } from '../../kit/problem.ts';
import { DatabaseRefused, type Database } from '../database.ts';
import { migrationTimes, serviceTimes } from '../database-times.ts';
import { migratedModules } from '../../app/migrations.ts';
import { connectDatabase, openDatabase } from '../open-database.ts';
import { statementsFor } from '../statement.ts';

const { lookup, statement } = statementsFor<CoreTables>();

const insertUser = statement((sql, p: { email: string }) =>
  sql
    .insertInto('users')
    .values({ email: p.email, email_key: p.email, created_at: 1, password_changed_at: 1 }),
);
const selectUser = lookup((sql, isKey) =>
  sql.selectFrom('users').select(['email as lookup_key', 'id']).where(isKey('email')),
);

const selectEmail = statement((sql, p: { id: number }) =>
  sql.selectFrom('users').select('email').where('id', '=', p.id),
);
const noteUser = statement((sql, p: { email: string }) =>
  sql
    .insertInto('users')
    .values({ email: p.email, email_key: p.email, created_at: 1, password_changed_at: 1 })
    .returning('email'),
);

/** The process of the server that serves the connection which is used next. */
async function pidOf(db: Database): Promise<number> {
  const [row] = await db.query((sql) => sql.selectNoFrom(rawSql<number>`pg_backend_pid()`.as('pid')));
  return row?.pid ?? 0;
}

/** A statement that the server answers with this SQLSTATE. */
const raising = (code: string): string => `do $$ begin raise exception using errcode = '${code}'; end $$`;

const isUnavailable = (error: unknown): boolean => isProblem(error, 'unavailable');

describe('PostgreSQL look-ups in one turn of the event loop', () => {
  const opened = useDatabase('postgres');
  let proxy: PostgresProxy;
  let db: Database;
  before(async () => {
    proxy = await postgresProxy(opened().url);
    db = await connectDatabase(proxy.url);
  });
  after(async () => {
    await db.close();
    await proxy.close();
  });

  /** Adds users and returns their addresses. */
  async function addUsers(count: number): Promise<string[]> {
    const emails = Array.from({ length: count }, (_, i) => `user${i}@example.org`);
    await Promise.all(emails.map((email) => opened().database.run(insertUser, { email })));
    return emails;
  }

  /** Runs the work and returns the number of statements that reached the server. */
  async function countStatements(work: () => Promise<unknown>): Promise<number> {
    const from = proxy.executed();
    await work();
    return proxy.executed() - from;
  }

  test('are sent as one statement, and each caller gets the row of its key', async () => {
    const emails = await addUsers(100);
    const asked = emails.toReversed();
    const count = await countStatements(async () => {
      const rows = await Promise.all(asked.map((email) => db.find(selectUser, email)));
      assert.deepEqual(
        rows.map((row) => row?.lookup_key),
        asked,
      );
    });
    assert.equal(count, 1);
  });

  test('may request the same key repeatedly, and every caller gets its row', async () => {
    const [email = ''] = await addUsers(1);
    const count = await countStatements(async () => {
      const rows = await Promise.all(Array.from({ length: 30 }, () => db.find(selectUser, email)));
      assert.equal(new Set(rows.map((row) => row?.id)).size, 1);
      assert.equal(
        rows.every((row) => row?.lookup_key === email),
        true,
      );
    });
    assert.equal(count, 1);
  });

  test('return undefined for an unknown key among known ones', async () => {
    const [email = ''] = await addUsers(1);
    const rows = await Promise.all(['nobody', email, '', 'nobody'].map((key) => db.find(selectUser, key)));
    assert.deepEqual(
      rows.map((row) => row?.lookup_key),
      [undefined, email, undefined, undefined],
    );
  });

  test('of a key with NUL find nothing, and do not fail the others', async () => {
    const [email = ''] = await addUsers(1);
    const rows = await Promise.all([`a\0b`, email].map((key) => db.find(selectUser, key)));
    assert.deepEqual(
      rows.map((row) => row?.lookup_key),
      [undefined, email],
    );
  });

  test('of more than five hundred keys are sent as several statements, and every caller gets its row', async () => {
    const emails = await addUsers(501);
    const count = await countStatements(async () => {
      const rows = await Promise.all(emails.map((email) => db.find(selectUser, email)));
      assert.deepEqual(
        rows.map((row) => row?.lookup_key),
        emails,
      );
    });
    assert.equal(count, 2);
  });

  test('of a later turn are sent as another statement, which sees later writes', async () => {
    const [email = ''] = await addUsers(1);
    const first = await db.find(selectUser, email);
    await db.query((sql) => sql.deleteFrom('users').where('id', '=', first?.id ?? 0));
    assert.equal(await db.find(selectUser, email), undefined);
  });

  test('inside a transaction are not batched', async () => {
    const [email = ''] = await addUsers(1);
    const rows = await db.transaction((tx) =>
      Promise.all([tx.find(selectUser, email), tx.find(selectUser, 'nobody')]),
    );
    assert.deepEqual(
      rows.map((row) => row?.lookup_key),
      [email, undefined],
    );
  });

  test('all fail with the error of their statement, and later ones work', async () => {
    const [email = ''] = await addUsers(1);
    await opened().database.execute('alter table users rename to people');
    const failed = await Promise.allSettled(['a', 'b', 'a'].map((key) => db.find(selectUser, key)));
    await opened().database.execute('alter table people rename to users');
    for (const outcome of failed) {
      assert.equal(outcome.status, 'rejected');
      assert.match(String(outcome.reason), /"users" does not exist/);
    }
    assert.equal((await db.find(selectUser, email))?.lookup_key, email);
  });

  test('all fail as unavailable if the connection breaks, and the pool opens new connections', async () => {
    const [email = ''] = await addUsers(1);
    const asked = Promise.allSettled(['a', 'b', 'a'].map((key) => db.find(selectUser, key)));
    setImmediate(() => proxy.cut());
    for (const outcome of await asked) {
      assert.equal(outcome.status, 'rejected');
      assert.ok(isUnavailable(outcome.reason), String(outcome.reason));
    }
    assert.equal((await db.find(selectUser, email))?.lookup_key, email);
  });
});

describe('faults of PostgreSQL', () => {
  test('a transaction whose connection breaks is rolled back, fails as unavailable, and does not affect later ones', () =>
    withDatabase('postgres', async (direct, url) => {
      const proxy = await postgresProxy(url);
      const db = await connectDatabase(proxy.url);
      const broken = db.transaction(async (tx) => {
        await tx.run(insertUser, { email: 'a' });
        proxy.cut();
        await tx.run(insertUser, { email: 'b' });
      });
      await assert.rejects(broken, isUnavailable);
      await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          db.transaction((tx) => tx.run(insertUser, { email: `later${i}` })),
        ),
      );
      assert.equal((await direct.query((sql) => sql.selectFrom('users').select('email'))).length, 20);
      await db.close();
      await proxy.close();
    }));

  test('a server that hangs is unavailable within a few seconds, for a look-up and for a write', () =>
    withDatabase('postgres', async (_direct, url) => {
      const proxy = await postgresProxy(url);
      const db = await connectDatabase(proxy.url);
      proxy.stall();
      const begun = performance.now();
      await Promise.all([
        assert.rejects(db.find(selectUser, 'a'), isUnavailable),
        assert.rejects(db.run(insertUser, { email: 'a' }), isUnavailable),
        assert.rejects(
          db.transaction((tx) => tx.run(insertUser, { email: 'b' })),
          isUnavailable,
        ),
      ]);
      assert.ok(performance.now() - begun < 60_000);
      await proxy.close();
      await db.close();
    }));

  test('a server that is not running is unavailable, and the message does not contain its password', async () => {
    const closedPort = 'postgres://me:hunter2@127.0.0.1:1/none';
    await assert.rejects(
      connectDatabase(closedPort),
      (error) => isUnavailable(error) && !String(error).includes('hunter2'),
    );
  });
});

/** Answers of the server: does the connection stay, and may the work run a second time? */
const answers: readonly (readonly [code: string, name: string, keeps: boolean, repeats: boolean])[] = [
  ['23505', 'unique violation', true, false],
  ['23503', 'foreign key violation', true, false],
  ['22012', 'division by zero', true, false],
  ['42501', 'insufficient privilege', true, false],
  ['57014', 'query canceled', true, false],
  ['53200', 'out of memory', true, false],
  ['40001', 'serialization failure', true, true],
  ['40P01', 'deadlock detected', true, true],
  ['25006', 'read-only transaction', false, true],
  ['0A000', 'cached plan must not change result type', false, true],
  ['26000', 'unknown prepared statement', false, true],
  ['42P05', 'prepared statement exists already', false, false],
  ['57P01', 'admin shutdown', false, false],
  ['57P02', 'crash shutdown', false, false],
  ['57P03', 'cannot connect now', false, false],
  ['08006', 'connection failure', false, false],
  ['58030', 'input or output error', false, false],
];

/** Returns whether the caller gets the right error: a temporary fault is not answered as a bug of the service. */
function isAnswerTo(code: string, error: unknown): boolean {
  if (code === '42501') return error instanceof DatabaseRefused;
  if (code === '25006') return isProblem(error, 'database_read_only');
  return isUnavailable(error) === /^(?:08|40|53|57|58|26|42P05)/.test(code);
}

describe('connections to PostgreSQL after an answer of the server', () => {
  const opened = useDatabase('postgres');

  for (const [code, name, keeps, repeats] of answers) {
    const title = `${code} (${name}) ${keeps ? 'keeps' : 'discards'} the connection`;
    test(`${title}, ${repeats ? 'and the work runs a second time' : 'and nothing runs again'}`, async () => {
      const db = opened().database;
      await db.execute('drop sequence if exists tries; create sequence tries');
      const pid = await pidOf(db);
      // A sequence is not rolled back, so it counts the runs.
      await assert.rejects(db.execute(`select nextval('tries'); ${raising(code)}`), (error) =>
        isAnswerTo(code, error),
      );
      const [tries] = await db.query((sql) => sql.selectNoFrom(rawSql<number>`nextval('tries')`.as('count')));
      assert.equal(tries?.count, repeats ? 3 : 2);
      assert.equal((await pidOf(db)) === pid, keeps);
    });

    test(`${title} of a transaction, also if its work ignores the error`, async () => {
      const db = opened().database;
      const pid = await pidOf(db);
      let runs = 0;
      await assert.rejects(
        db.transaction(async (tx) => {
          runs += 1;
          await tx.execute(raising(code)).catch(() => {});
        }),
        (error) => !repeats || isAnswerTo(code, error),
      );
      assert.equal(runs, repeats ? 2 : 1);
      assert.equal((await pidOf(db)) === pid, keeps);
    });
  }

  test('all connections are discarded that were opened before one was found to be stale', () =>
    withDatabase('postgres', async (db) => {
      const pids = (): Promise<number[]> =>
        Promise.all(
          Array.from({ length: 4 }, () =>
            db.transaction(async (tx) => {
              await new Promise((resolve) => setTimeout(resolve, 50)); // so that each uses another connection
              return pidOf(tx);
            }),
          ),
        );
      const earlier = new Set(await pids());
      assert.equal(earlier.size, 4);
      await assert.rejects(db.execute(raising('57P01')));
      assert.deepEqual(
        (await pids()).filter((pid) => earlier.has(pid)),
        [],
      );
    }));

  test('a transaction that the server rolled back runs again, with its writes', () =>
    withDatabase('postgres', async (db) => {
      let runs = 0;
      await db.transaction(async (tx) => {
        runs += 1;
        await tx.run(insertUser, { email: `run${runs}` });
        if (runs === 1) await tx.execute(raising('40001'));
      });
      const rows = await db.query((sql) => sql.selectFrom('users').select('email'));
      assert.deepEqual(
        rows.map(({ email }) => email),
        ['run2'],
      );
    }));

  test('both of two transactions that wait for each other succeed', () =>
    withDatabase('postgres', async (db) => {
      for (const email of ['a', 'b']) await db.run(insertUser, { email });
      const lock = (tx: Database, email: string): Promise<unknown> =>
        tx.query((sql) => sql.updateTable('users').set({ created_at: 2 }).where('email', '=', email));
      const both = new AbortController();
      let waiting = 2;
      const meet = (): Promise<unknown> => {
        waiting -= 1;
        if (waiting === 0) both.abort();
        return waiting < 0 || both.signal.aborted
          ? Promise.resolve()
          : new Promise((resolve) => both.signal.addEventListener('abort', resolve));
      };
      const inOrder = (first: string, second: string): Promise<void> =>
        db.transaction(async (tx) => {
          await lock(tx, first);
          await meet();
          await lock(tx, second);
        });
      await Promise.all([inOrder('a', 'b'), inOrder('b', 'a')]);
    }));
});

describe('statements of PostgreSQL', () => {
  test('are planned once for a connection, and not for the values of each call', () =>
    withDatabase('postgres', async (db) => {
      const plans = await db.transaction(async (tx) => {
        for (let id = 0; id < 8; id += 1) {
          await tx.run(selectEmail, { id });
          await tx.find(selectUser, `${id}`);
        }
        return tx.query((sql) =>
          sql
            .selectFrom(
              rawSql<{ name: string; generic: number; custom: number }>`
              (select name, generic_plans as generic, custom_plans as custom from pg_prepared_statements)`.as(
                'p',
              ),
            )
            .select(['name', 'generic', 'custom'])
            .where('name', 'in', [selectEmail.name, selectUser.name]),
        );
      });
      assert.deepEqual(
        plans.map(({ generic, custom }) => ({ generic, custom })),
        [
          { generic: 8, custom: 0 },
          { generic: 8, custom: 0 },
        ],
      );
    }));

  test('are limited as docs/guides/deploy.md says', () => {
    assert.deepEqual(serviceTimes, {
      statementMs: 3000,
      queryMs: 3500,
      connectMs: 3000,
      connectToOneOfManyMs: 1000,
      lockMs: 5000,
    });
  });

  test('are limited in time by the server, unless they migrate', () =>
    withDatabase('postgres', async (_, url) => {
      const limitsOf = (of: Database): Promise<{ statement: string; idle: string }[]> =>
        of.query((sql) =>
          sql.selectNoFrom([
            rawSql<string>`current_setting('statement_timeout')`.as('statement'),
            rawSql<string>`current_setting('idle_in_transaction_session_timeout')`.as('idle'),
          ]),
        );
      for (const [times, limit] of [
        [serviceTimes, '3s'],
        [migrationTimes(), '0'],
      ] as const) {
        const db = await connectDatabase(url, { times });
        assert.deepEqual(await limitsOf(db), [{ statement: limit, idle: limit }]);
        await db.close();
      }
    }));

  test('note() alone does not wait for the disk', () =>
    withDatabase('postgres', async (db) => {
      await db.execute(`create table seen (email text, setting text);
        create function see() returns trigger language plpgsql as
          $$ begin insert into seen values (new.email, current_setting('synchronous_commit')); return null; end $$;
        create constraint trigger sees after insert on users deferrable initially deferred
          for each row execute function see()`);
      assert.equal((await db.note(noteUser, { email: 'noted' }))?.email, 'noted');
      await db.run(noteUser, { email: 'run' });
      const seen = await db.query((sql) =>
        sql
          .selectFrom(rawSql<{ email: string; setting: string }>`(select * from seen)`.as('seen'))
          .selectAll(),
      );
      assert.deepEqual(seen, [
        { email: 'noted', setting: 'off' },
        { email: 'run', setting: 'on' },
      ]);
    }));
});

describe('several servers in the URL of PostgreSQL', () => {
  /** The URL with another server in front. */
  const withFirst = (url: string, first: string): string => url.replace(/@([^/]+)/, `@${first},$1`);

  test('the first one that accepts changes is used', () =>
    withDatabase('postgres', async (_direct, url) => {
      const db = await connectDatabase(withFirst(url, '127.0.0.1:1'));
      await db.run(insertUser, { email: 'a' });
      assert.match(db.connectedBy ?? '', new RegExp(`^127.0.0.1:${new URL(url).port}, connected directly$`));
      await db.close();
    }));

  test('if none does, the message says why of each, without the password', () =>
    withDatabase('postgres', async (direct, url) => {
      const name = new URL(url).pathname.slice(1);
      await direct.execute(`alter database ${name} set default_transaction_read_only = on`);
      await assert.rejects(
        connectDatabase(withFirst(url, '127.0.0.1:1')),
        (error) =>
          isProblem(error, 'database_read_only') &&
          /127\.0\.0\.1:1: connect ECONNREFUSED.*; 127\.0\.0\.1:\d+: the server is read-only\)$/.test(
            error.message,
          ) &&
          !error.message.includes('postgres:postgres'),
      );
      // A single server of which nothing is asked: reading what it has is better than nothing.
      const db = await connectDatabase(url);
      assert.deepEqual(await db.run(selectEmail, { id: 1 }), []);
      await assert.rejects(db.run(insertUser, { email: 'a' }), (error) =>
        isProblem(error, 'database_read_only'),
      );
      await db.close();
    }));

  test('a wrong password is not tried on the next server', () =>
    withDatabase('postgres', async (_direct, url) => {
      const wrong = new URL(url);
      wrong.password = 'hunter2';
      await assert.rejects(
        connectDatabase(withFirst(wrong.href, wrong.host)),
        (error) => error instanceof Error && /password authentication failed/.test(error.message),
      );
    }));
});

test('a migrated PostgreSQL database is opened on one connection, also while another instance has the lock of migrations', () =>
  withDatabase('postgres', (other, url) =>
    other.transaction(async (tx) => {
      await tx.execute('select 1 from schema_versions for update');
      const proxy = await postgresProxy(url);
      const db = await openDatabase(proxy.url, migratedModules);
      assert.deepEqual(await db.run(selectEmail, { id: 1 }), []);
      assert.equal(proxy.accepted(), 1);
      await db.close();
      await proxy.close();
    }),
  ));
