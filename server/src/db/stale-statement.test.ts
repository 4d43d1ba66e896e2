// Tests prepared statements that the PostgreSQL server rejects: after a newer instance added a column to the table of a
// `select *` (the service has no such statement; the tests add one), or after the server discarded the statement.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { engineNames, withDatabase } from '../../test/support/engines.ts';
import type { CoreTables } from '../../test/support/tables.ts';
import type { Database } from './database.ts';
import { statementsFor } from './statement.ts';

const { lookup, statement } = statementsFor<CoreTables>();
const insertUser = statement((sql, p: { email: string }) =>
  sql
    .insertInto('users')
    .values({ email: p.email, email_key: p.email, created_at: 1, password_changed_at: 1 })
    .returningAll(),
);
const selectUsers = statement((sql) => sql.selectFrom('users').selectAll().orderBy('id'));
const selectUser = lookup((sql, isKey) =>
  sql.selectFrom('users').selectAll().select('email as lookup_key').where(isKey('email')),
);

/** Prepares the statements on every connection of the pool. */
async function warm(db: Database): Promise<void> {
  await Promise.all(
    Array.from({ length: 10 }, () =>
      db.transaction(async (tx) => {
        await tx.run(selectUsers, {});
        await tx.find(selectUser, 'ada');
        await tx.run(insertUser, { email: crypto.randomUUID() });
        await tx.query((sql) => sql.selectFrom('users').select('id'));
        await new Promise((resolve) => setTimeout(resolve, 20)); // keeps the connection busy, so that each transaction uses another one
      }),
    ),
  );
}

/** Events that make prepared statements stale. */
const events: readonly (readonly [title: string, makeStale: (db: Database) => Promise<void>])[] = [
  ['a column was added', (db) => db.execute('alter table users add column shoe_size bigint')],
  [
    'the server discarded them',
    async (db) => {
      await Promise.all(
        Array.from({ length: 10 }, () =>
          db.transaction(async (tx) => {
            await tx.execute('deallocate all');
            await new Promise((resolve) => setTimeout(resolve, 20));
          }),
        ),
      );
    },
  ],
];

describe('prepared statements of PostgreSQL', { skip: !engineNames.includes('postgres') }, () => {
  for (const [title, makeStale] of events) {
    test(`a statement and a look-up run again after ${title}`, () =>
      withDatabase('postgres', async (db) => {
        await warm(db);
        await makeStale(db);
        assert.equal((await db.run(selectUsers, {})).length, 10);
        assert.equal((await db.first(insertUser, { email: 'ada' }))?.email, 'ada');
        const found = await Promise.all(['ada', 'ada', 'bob'].map((email) => db.find(selectUser, email)));
        assert.deepEqual(
          found.map((row) => row?.lookup_key),
          ['ada', 'ada', undefined],
        );
        assert.equal((await db.run(selectUsers, {})).length, 11);
      }));

    test(`the whole work of a transaction runs again, once, after ${title}`, () =>
      withDatabase('postgres', async (db) => {
        await warm(db);
        await makeStale(db);
        let runs = 0;
        const count = await db.transaction(async (tx) => {
          runs += 1;
          await tx.query((sql) =>
            sql.insertInto('users').values({
              email: 'ada',
              email_key: 'ada',
              created_at: 1,
              password_changed_at: 1,
            }),
          );
          return (await tx.run(selectUsers, {})).length;
        });
        assert.equal(count, 11);
        assert.ok(runs > 1);
        assert.equal((await db.run(selectUsers, {})).length, 11);
      }));

    test(`a transaction runs again after ${title}, even if its work ignores the error`, () =>
      withDatabase('postgres', async (db) => {
        await warm(db);
        await makeStale(db);
        const rows = await db.transaction((tx) => tx.run(selectUsers, {}).catch(() => []));
        assert.equal(rows.length, 10);
      }));
  }

  test('statements do not run again after another error', () =>
    withDatabase('postgres', async (db) => {
      let runs = 0;
      const failed = db.transaction(async (tx) => {
        runs += 1;
        await tx.run(insertUser, { email: 'ada' });
        await tx.run(insertUser, { email: 'ada' });
      });
      await assert.rejects(failed, { name: 'UniqueViolation' });
      assert.equal(runs, 1);
    }));
});
