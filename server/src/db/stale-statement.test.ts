// A prepared statement that the server refuses: after a newer instance added a column under a `select *`, which no
// statement of the service has and a test plants here, or after the server forgot it.
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
        await new Promise((resolve) => setTimeout(resolve, 20)); // so that each has a connection of its own
      }),
    ),
  );
}

/** What happens to the warm statements. */
const events: readonly (readonly [title: string, strike: (db: Database) => Promise<void>])[] = [
  ['a column was added', (db) => db.execute('alter table users add column shoe_size bigint')],
  [
    'the server forgot them',
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
  for (const [title, strike] of events) {
    test(`run again after ${title}: a single statement and a look-up`, () =>
      withDatabase('postgres', async (db) => {
        await warm(db);
        await strike(db);
        assert.equal((await db.run(selectUsers, {})).length, 10);
        assert.equal((await db.first(insertUser, { email: 'ada' }))?.email, 'ada');
        const found = await Promise.all(['ada', 'ada', 'bob'].map((email) => db.find(selectUser, email)));
        assert.deepEqual(
          found.map((row) => row?.lookup_key),
          ['ada', 'ada', undefined],
        );
        assert.equal((await db.run(selectUsers, {})).length, 11);
      }));

    test(`run again after ${title}: the work of a transaction, as a whole and once`, () =>
      withDatabase('postgres', async (db) => {
        await warm(db);
        await strike(db);
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

    test(`run again after ${title}, even if the work swallows the error`, () =>
      withDatabase('postgres', async (db) => {
        await warm(db);
        await strike(db);
        const rows = await db.transaction((tx) => tx.run(selectUsers, {}).catch(() => []));
        assert.equal(rows.length, 10);
      }));
  }

  test('do not run again for another error', () =>
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
