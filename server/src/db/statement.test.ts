import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Sql } from './database.ts';
import { onEachEngine, useDatabase } from '../../test/support/engines.ts';
import type { CoreTables } from '../../test/support/tables.ts';
import { postgresEngine, sqliteEngine } from './engine.ts';
import { CompiledStatements, compileOnce, statementsFor } from './statement.ts';

const { lookup, statement } = statementsFor<CoreTables>();

const insertUser = statement((sql, p: { id: number; email: string; hash: string | null }) =>
  sql.insertInto('users').values({
    id: p.id,
    email: p.email,
    email_key: p.email,
    hashed_password: p.hash,
    created_at: 7,
    password_changed_at: 7,
  }),
);

onEachEngine('binding', (engine) => {
  const opened = useDatabase(engine);

  test('binds a parameter that is used twice at both positions', async () => {
    const { database } = opened();
    await database.run(insertUser, { id: 1, email: 'a', hash: null });
    const [row] = await database.query((sql) => sql.selectFrom('users').select(['email', 'email_key']));
    assert.deepEqual([row?.email, row?.email_key], ['a', 'a']);
  });

  test('keeps the position of a constant between two parameters', async () => {
    const { database } = opened();
    const select = statement((sql, p: { first: string; hash: string }) =>
      sql
        .selectFrom('users')
        .select('email')
        .where('email', '>=', p.first)
        .where('created_at', '=', 7)
        .where('hashed_password', '=', p.hash)
        .limit(5),
    );
    for (const [i, email] of ['a', 'b', 'c'].entries())
      await database.run(insertUser, { id: i + 1, email, hash: email });
    assert.deepEqual(
      (await database.run(select, { first: 'b', hash: 'c' })).map(({ email }) => email),
      ['c'],
    );
    assert.deepEqual(
      (await database.run(select, { hash: 'b', first: 'a' })).map(({ email }) => email),
      ['b'],
    );
  });

  test('keeps the values of concurrent runs apart', async () => {
    const { database } = opened();
    await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        database.run(insertUser, { id: i + 1, email: `user${i}`, hash: `hash${i}` }),
      ),
    );
    const rows = await database.query((sql) => sql.selectFrom('users').select(['email', 'hashed_password']));
    assert.equal(rows.length, 30);
    for (const row of rows) assert.equal(row.hashed_password, row.email.replace('user', 'hash'));
  });

  test('never interprets a value as SQL', async () => {
    const { database } = opened();
    const email = `x'; delete from users; --`;
    await database.run(insertUser, { id: 1, email, hash: `' or '1'='1` });
    const byHash = statement((sql, p: { hash: string }) =>
      sql.selectFrom('users').select('email').where('hashed_password', '=', p.hash),
    );
    assert.deepEqual(await database.run(byHash, { hash: `' or 1=1 --` }), []);
    assert.equal((await database.first(byHash, { hash: `' or '1'='1` }))?.email, email);
  });
});

describe('compiling', () => {
  test('happens once for each statement and engine', () => {
    let built = 0;
    const counted = statement((sql, p: { id: number }) => {
      built += 1;
      return sql.selectFrom('users').select('id').where('id', '=', p.id);
    });
    const [sqlite, postgres] = [new CompiledStatements(sqliteEngine), new CompiledStatements(postgresEngine)];
    for (let i = 0; i < 3; i += 1) assert.equal(sqlite.of(counted), sqlite.of(counted));
    assert.match(sqlite.of(counted).text, /"id" = \?$/);
    assert.match(postgres.of(counted).text, /"id" = \$1$/);
    assert.equal(built, 2);
  });

  test('gives each statement a unique name, by which a server caches it', () => {
    const [one, other] = [
      statement((sql) => sql.selectFrom('users').selectAll()),
      statement((sql) => sql.selectFrom('users').selectAll()),
    ];
    assert.notEqual(one.name, other.name);
  });

  test('makes PostgreSQL read the keys of a batch first', () => {
    const postgres = new CompiledStatements(postgresEngine);
    const batch = statement((sql, p: { limit: number }) =>
      sql
        .deleteFrom('users')
        .where('id', 'in', (nested) => nested.selectFrom('users').select('id').limit(p.limit)),
    );
    assert.match(postgres.of(batch).text, /where "id" = any\(array\(select "id" from "users" limit \$1\)\)$/);
    assert.match(
      new CompiledStatements(sqliteEngine).of(batch).text,
      /where "id" in \(select "id" from "users" limit \?\)$/,
    );
    const unbounded = statement((sql) =>
      sql.deleteFrom('users').where('id', 'in', (nested) => nested.selectFrom('users').select('id')),
    );
    assert.match(postgres.of(unbounded).text, /where "id" in \(select "id" from "users"\)$/);
    const tuples = statement((sql, p: { limit: number }) =>
      sql
        .deleteFrom('users')
        .where((users) =>
          users(
            users.refTuple('id', 'email'),
            'in',
            users.selectFrom('users').select(['id', 'email']).limit(p.limit).$asTuple('id', 'email'),
          ),
        ),
    );
    assert.throws(() => postgres.of(tuples), /select one column/);
  });

  test('treats only a select as a read; every other statement goes to the writer', () => {
    const compiled = new CompiledStatements(sqliteEngine);
    const isRead = (build: Parameters<typeof statement<object, unknown>>[0]): boolean =>
      compiled.of(statement(build)).isRead;
    assert.equal(
      isRead((sql) => sql.selectFrom('users').selectAll()),
      true,
    );
    assert.equal(
      isRead((sql) => sql.deleteFrom('users').returningAll()),
      false,
    );
    assert.equal(
      isRead((sql) => sql.updateTable('users').set({ email: 'x' }).returningAll()),
      false,
    );
    assert.equal(
      isRead((sql) =>
        sql
          .insertInto('users')
          .columns(['id'])
          .expression((from) => from.selectFrom('users').select('id')),
      ),
      false,
    );
    assert.equal(compileOnce(sqliteEngine, (sql: Sql<CoreTables>) => sql.deleteFrom('users')).isRead, false);
  });

  test('a look-up takes one key, or a list of keys on an engine that batches look-ups', () => {
    const byEmail = lookup((sql, isKey) =>
      sql.selectFrom('users').select('email as lookup_key').where(isKey('email')),
    );
    const one = new CompiledStatements(sqliteEngine).ofLookup(byEmail);
    const many = new CompiledStatements(postgresEngine).ofLookup(byEmail);
    assert.match(one.text, /"email" = \?$/);
    assert.match(many.text, /"email" = any\(\$1\)$/);
    assert.deepEqual(many.bind({ key: ['a', 'b'] }), [['a', 'b']]);
  });
});
