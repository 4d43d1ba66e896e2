import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { useDatabase, withDatabase } from '../../test/support/engines.ts';
import { postgresProxy, type PostgresProxy } from '../../test/support/postgres-proxy.ts';
import type { CoreTables } from '../../test/support/tables.ts';
import { isProblem } from '../kit/problem.ts';
import type { Database } from './database.ts';
import { connectDatabase } from './open-database.ts';
import { statementsFor } from './statement.ts';

const { lookup, statement } = statementsFor<CoreTables>();

const insertUser = statement((sql, p: { email: string }) =>
  sql
    .insertInto('users')
    .values({ email: p.email, email_key: p.email, created_at: 1, password_changed_at: 1 }),
);
const selectUser = lookup((sql, isKey) =>
  sql.selectFrom('users').select(['email as lookup_key', 'id']).where(isKey('email')),
);

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
      assert.ok(performance.now() - begun < 6000);
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
