// Every statement lists its columns by name. With `select *` a prepared statement of PostgreSQL fails as soon as another
// instance has added a column (0A000), so an upgrade would break the older instance that still runs.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const source = join(import.meta.dirname, '../src');
const commentLine = /^\s*(?:\/\/|\/?\*).*$/gm;
const everyColumn =
  /\b(?:selectAll|returningAll)\b|\b(?:select|returning)\s+(?:\w+\.)?\*|select\(\s*['"`](?:\w+\.)?\*/gi;
/** A query that names no tables would be checked against those of the tests. */
const withoutTables = /\.query\(\(\w+\)/g;

/** The parts of a file that must not be in it. */
function faultsOf(text: string): string[] {
  const code = text.replaceAll(commentLine, '');
  return [...code.matchAll(everyColumn), ...code.matchAll(withoutTables)].map(([found]) => found);
}

test('no statement of the service reads or returns every column without naming them', () => {
  const files = globSync('**/*.ts', { cwd: source, exclude: ['**/*.test.ts', '**/test/**'] });
  assert.ok(files.filter((file) => file.endsWith('store.ts')).length >= 10);
  assert.deepEqual(
    files.flatMap((file) =>
      faultsOf(readFileSync(join(source, file), 'utf8')).map((found) => `${file}: ${found}`),
    ),
    [],
  );
});

const planted: readonly string[] = [
  `sql.selectFrom('users').selectAll().where('id', '=', p.id)`,
  `sql.selectFrom('users').selectAll('users')`,
  `sql.deleteFrom('users').where('id', '=', p.id).returningAll()`,
  'rawSql`select * from users`',
  'rawSql`SELECT u.* from users u`',
  'db.execute(`delete from users returning *`)',
  `sql.selectFrom('users').select('users.*')`,
  `db.query((sql) => sql.selectFrom('users').select('id'))`,
];
for (const text of planted) test(`sees ${text}`, () => assert.equal(faultsOf(text).length, 1));

test('accepts columns by name, and comments', () => {
  const text = `// not selectAll\nsql.selectFrom('users').select(userColumns);\nsql.selectFrom('users').select(({ fn }) => fn.countAll());\ndb.query((sql: Sql<Tables>) => sql);`;
  assert.deepEqual(faultsOf(text), []);
});
