import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onEachEngine, useDatabase, withDatabase } from '../../test/support/engines.ts';
import type { CoreTables } from '../../test/support/tables.ts';
import { isProblem } from '../kit/problem.ts';
import { UniqueViolation, type Database } from './database.ts';
import { connectDatabase } from './open-database.ts';
import { statementsFor } from './statement.ts';

const { lookup, statement } = statementsFor<CoreTables>();

const insertUser = statement((sql, p: { email: string; now: number }) =>
  sql
    .insertInto('users')
    .values({
      email: p.email,
      email_key: p.email,
      hashed_password: null,
      created_at: p.now,
      password_changed_at: p.now,
    })
    .returning('id'),
);
const selectEmails = statement((sql) => sql.selectFrom('users').select('email').orderBy('id'));
const selectByEmail = lookup((sql, isKey) =>
  sql.selectFrom('users').select(['email as lookup_key', 'id']).where(isKey('email')),
);
const selectByHash = lookup((sql, isKey) =>
  sql
    .selectFrom('users')
    .select((eb) => ['email', eb.ref('hashed_password').$notNull().as('lookup_key')])
    .where(isKey('hashed_password')),
);
const readCreated = statement((sql, p: { email: string }) =>
  sql.selectFrom('users').select('created_at').where('email', '=', p.email),
);
const writeCreated = statement((sql, p: { email: string; at: number }) =>
  sql.updateTable('users').set({ created_at: p.at }).where('email', '=', p.email),
);

async function emails(db: Database): Promise<string[]> {
  return (await db.run(selectEmails, {})).map(({ email }) => email);
}

/** An error that a test throws on purpose. */
class PlannedFailure extends Error {}

onEachEngine('a database', (engine) => {
  const opened = useDatabase(engine);

  test('a write is immediately visible to a statement, a look-up and a query', async () => {
    const { database: db } = opened();
    for (let i = 1; i <= 50; i += 1) {
      const email = `user${i}@example.org`;
      const added = await db.first(insertUser, { email, now: i });
      assert.equal((await db.find(selectByEmail, email))?.id, added?.id);
      assert.equal((await db.first(readCreated, { email }))?.created_at, i);
      assert.equal((await db.query((sql) => sql.selectFrom('users').select('id'))).length, i);
    }
  });

  test('findAll() returns every row of a key', async () => {
    const { database: db } = opened();
    for (const email of ['a', 'b', 'c']) await db.run(insertUser, { email, now: 1 });
    await db.query((sql) => sql.updateTable('users').set({ hashed_password: 'x' }).where('email', '<>', 'c'));
    const keys = ['x', 'y', 'x'];
    const found = await Promise.all(keys.map((key) => db.findAll(selectByHash, key)));
    const inside = await db.transaction((tx) =>
      Promise.all(keys.map((key) => tx.findAll(selectByHash, key))),
    );
    for (const lists of [found, inside])
      assert.deepEqual(
        lists.map((rows) => rows.map(({ email }) => email).toSorted()),
        [['a', 'b'], [], ['a', 'b']],
      );
  });

  test('ids are ascending numbers from 1', () =>
    withDatabase(engine, async (fresh) => {
      for (const [i, email] of ['a', 'b', 'c'].entries()) {
        assert.equal((await fresh.first(insertUser, { email, now: 1 }))?.id, i + 1);
      }
    }));

  test('note() returns its row, is immediately visible, and respects unique indexes', async () => {
    const { database: db } = opened();
    const noted = await db.note(insertUser, { email: 'a', now: 7 });
    assert.equal((await db.first(readCreated, { email: 'a' }))?.created_at, 7);
    assert.equal((await db.find(selectByEmail, 'a'))?.id, noted?.id);
    await assert.rejects(db.note(insertUser, { email: 'a', now: 8 }), UniqueViolation);
    assert.equal(await db.note(writeCreated, { email: 'nobody', at: 8 }), undefined);
  });

  test('without a row, first() and find() return undefined, run() and query() an empty list', async () => {
    const { database: db } = opened();
    assert.equal(await db.first(readCreated, { email: 'nobody' }), undefined);
    assert.equal(await db.find(selectByEmail, 'nobody'), undefined);
    assert.deepEqual(await db.run(readCreated, { email: 'nobody' }), []);
    assert.deepEqual(await db.query((sql) => sql.selectFrom('users').selectAll()), []);
    assert.deepEqual(await db.run(writeCreated, { email: 'nobody', at: 1 }), []);
  });

  test('values are returned unchanged: instants, bytes, null and text of any script', async () => {
    const { database: db } = opened();
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const now = Date.UTC(9999, 11, 31);
    const email = `'"; drop table users; -- \u{1F600} é e\u0301 日本 \n%$1?`;
    const [user] = await db.run(insertUser, { email, now });
    await db.query((sql) =>
      sql.insertInto('sessions').values({
        id: 'handle',
        user_id: user?.id ?? 0,
        secret_hash: bytes,
        created_at: now,
        last_seen_at: -1,
        expires_at: 0,
      }),
    );
    const [session] = await db.query((sql) => sql.selectFrom('sessions').selectAll());
    assert.deepEqual(new Uint8Array(session?.secret_hash ?? []), bytes);
    assert.deepEqual([session?.created_at, session?.last_seen_at, session?.expires_at], [now, -1, 0]);
    const [row] = await db.query((sql) => sql.selectFrom('users').select(['email', 'hashed_password']));
    assert.deepEqual({ ...row }, { email, hashed_password: null });
  });

  test('a duplicate row throws UniqueViolation, and the existing row stays', async () => {
    const { database: db } = opened();
    await db.run(insertUser, { email: 'bob', now: 1 });
    await assert.rejects(db.run(insertUser, { email: 'bob', now: 2 }), UniqueViolation);
    await assert.rejects(
      db.transaction((tx) => tx.run(insertUser, { email: 'bob', now: 3 })),
      UniqueViolation,
    );
    assert.equal((await db.first(readCreated, { email: 'bob' }))?.created_at, 1);
  });

  test('a row without its parent is rejected: foreign keys are enforced', async () => {
    const { database: db } = opened();
    const orphan = {
      id: 'x',
      user_id: 99,
      secret_hash: new Uint8Array(32),
      created_at: 1,
      last_seen_at: 1,
      expires_at: 1,
    };
    await assert.rejects(
      db.query((sql) => sql.insertInto('sessions').values(orphan)),
      /foreign key/i,
    );
    assert.deepEqual(await db.query((sql) => sql.selectFrom('sessions').selectAll()), []);
  });

  test('invalid SQL throws a plain error, which is not a problem', async () => {
    const { database: db } = opened();
    await assert.rejects(
      db.execute('create nonsense'),
      (error) => error instanceof Error && !isProblem(error, 'unavailable'),
    );
    assert.deepEqual(await emails(db), []);
  });

  test('now() returns the clock of the engine in milliseconds', async () => {
    const { database: db } = opened();
    const instants = [await db.now(), await db.transaction((tx) => tx.now())];
    for (const instant of instants) assert.ok(Math.abs(instant - Date.now()) < 60_000, String(instant));
  });
});

onEachEngine('a transaction', (engine) => {
  const opened = useDatabase(engine);

  test('commits all its writes and returns the value of its work', async () => {
    const { database: db } = opened();
    const value = await db.transaction(async (tx) => {
      await tx.run(insertUser, { email: 'a', now: 1 });
      await tx.run(insertUser, { email: 'b', now: 1 });
      return 'done';
    });
    assert.equal(value, 'done');
    assert.deepEqual(await emails(db), ['a', 'b']);
  });

  test('rolls back every write if its work throws, rethrows the error, and the next one works', async () => {
    const { database: db } = opened();
    const failure = new PlannedFailure();
    const failed = db.transaction(async (tx) => {
      await tx.run(insertUser, { email: 'a', now: 1 });
      await tx.query((sql) => sql.updateTable('users').set({ created_at: 2 }));
      await tx.execute('create table scratch (id integer)');
      throw failure;
    });
    await assert.rejects(failed, (error) => error === failure);
    assert.deepEqual(await emails(db), []);
    await db.transaction((tx) => tx.execute('create table scratch (id integer)'));
    await db.run(insertUser, { email: 'b', now: 1 });
    assert.deepEqual(await emails(db), ['b']);
  });

  test('reads its own writes, which others cannot see before the commit', async () => {
    const { database: db } = opened();
    await db.transaction(async (tx) => {
      await tx.run(insertUser, { email: 'a', now: 1 });
      assert.deepEqual(await emails(tx), ['a']);
      assert.equal((await tx.find(selectByEmail, 'a'))?.lookup_key, 'a');
      assert.deepEqual(await emails(db), []);
      assert.equal(await db.find(selectByEmail, 'a'), undefined);
    });
    assert.deepEqual(await emails(db), ['a']);
  });

  test('that is nested is rolled back with the outer one, and rolls back the outer one if it throws', async () => {
    const { database: db } = opened();
    const outerFails = db.transaction(async (tx) => {
      await tx.transaction((inner) => inner.run(insertUser, { email: 'a', now: 1 }));
      throw new PlannedFailure();
    });
    await assert.rejects(outerFails, PlannedFailure);
    const innerFails = db.transaction(async (tx) => {
      await tx.run(insertUser, { email: 'b', now: 1 });
      await tx.transaction(async () => {
        throw new PlannedFailure();
      });
    });
    await assert.rejects(innerFails, PlannedFailure);
    assert.deepEqual(await emails(db), []);
  });

  test('never commits after a failed statement, even if its work ignores the error', async () => {
    const { database: db } = opened();
    const swallowed = db.transaction(async (tx) => {
      await tx.run(insertUser, { email: 'a', now: 1 });
      await tx.run(insertUser, { email: 'a', now: 2 }).catch(() => {});
    });
    await assert.rejects(swallowed, /rolled back/);
    assert.deepEqual(await emails(db), []);
  });

  test('cannot be closed: it ends with its work', async () => {
    const { database: db } = opened();
    await assert.rejects(
      db.transaction((tx) => tx.close()),
      /ends when its function returns/,
    );
    await db.run(insertUser, { email: 'a', now: 1 });
  });

  test('loses no update of fifty concurrent transactions that read and write one row', async () => {
    const { database: db } = opened();
    const email = 'counter';
    await db.run(insertUser, { email, now: 0 });
    const increments = Array.from({ length: 50 }, () =>
      db.transaction(async (tx) => {
        await tx.query((sql) =>
          sql.updateTable('users').set({ hashed_password: 'locked' }).where('email', '=', email),
        );
        const row = await tx.first(readCreated, { email });
        await tx.run(writeCreated, { email, at: (row?.created_at ?? 0) + 1 });
      }),
    );
    await Promise.all(increments);
    assert.equal((await db.first(readCreated, { email }))?.created_at, 50);
  });

  test('does not include writes of other callers, which survive its rollback', async () => {
    const { database: db } = opened();
    const begun = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const undone = db.transaction(async (tx) => {
      await tx.run(insertUser, { email: 'inside', now: 1 });
      begun.resolve();
      await finish.promise;
      throw new PlannedFailure();
    });
    await begun.promise;
    const lone = Promise.all([
      db.run(insertUser, { email: 'lone', now: 1 }),
      db.query((sql) =>
        sql.insertInto('users').values({ email: 'q', email_key: 'q', created_at: 1, password_changed_at: 1 }),
      ),
    ]);
    finish.resolve();
    await assert.rejects(undone, PlannedFailure);
    await lone;
    assert.deepEqual((await emails(db)).toSorted(), ['lone', 'q']);
  });
});

onEachEngine('closing a database', (engine) => {
  test('waits for running statements and transactions', () =>
    withDatabase(engine, async (db, url) => {
      const other = await connectDatabase(url);
      const writes = Array.from({ length: 20 }, (_, i) =>
        other.run(insertUser, { email: `user${i}`, now: 1 }),
      );
      const transaction = other.transaction((tx) => tx.run(insertUser, { email: 'last', now: 1 }));
      await Promise.all([...writes, transaction, other.close()]);
      assert.equal((await emails(db)).length, 21);
    }));

  test('is final: every later call is rejected, and nothing is written', () =>
    withDatabase(engine, async (db, url) => {
      const other = await connectDatabase(url);
      await other.close();
      const late: Record<string, () => Promise<unknown>> = {
        'a write': () => other.run(insertUser, { email: 'late', now: 1 }),
        'a read': () => other.run(selectEmails, {}),
        'a note': () => other.note(insertUser, { email: 'late', now: 1 }),
        'a look-up': () => other.find(selectByEmail, 'late'),
        'a query': () => other.query((sql) => sql.deleteFrom('users')),
        'a text': () => other.execute('drop table users'),
        'a transaction': () => other.transaction((tx) => tx.run(insertUser, { email: 'late', now: 1 })),
      };
      for (const [title, call] of Object.entries(late)) {
        await assert.rejects(call(), (error) => isProblem(error, 'unavailable'), title);
      }
      assert.deepEqual(await emails(db), []);
    }));
});
