import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { migratedModules } from '../../src/app/migrations.ts';
import type { Database } from '../../src/db/database.ts';
import { sqlitePath } from '../../src/db/open-database.ts';

/** Current rows of the accounts: equal contents mean that nothing changed. */
export async function contentsOf(database: Database): Promise<Record<string, readonly object[]>> {
  const [users, sessions, tokens] = await Promise.all([
    database.query((sql) => sql.selectFrom('users').selectAll().orderBy('id')),
    database.query((sql) => sql.selectFrom('sessions').selectAll().orderBy('id')),
    database.query((sql) => sql.selectFrom('one_time_tokens').selectAll().orderBy('id')),
  ]);
  return { users, sessions, tokens };
}

/** Tables that hold nothing about a user. */
const otherTables = ['audit_chain', 'key_checks', 'signing_keys'];

/** Every table that a module creates. */
export function allTableNames({ engine }: Database): string[] {
  const texts = migratedModules
    .flatMap(({ migrations }) => migrations)
    .flatMap(({ statements }) => statements(engine.types));
  return texts.flatMap((text) => /^\s*create table (\w+)/.exec(text)?.[1] ?? []);
}

/** Every table that a module creates, except those that hold nothing about a user. */
export function tableNames(database: Database): string[] {
  return allTableNames(database).filter((table) => !otherTables.includes(table));
}

/** The rows of any table, to be compared or printed. */
export async function rowsIn(database: Database, table: string): Promise<Record<string, unknown>[]> {
  const rows = await database.query((sql) => sql.selectFrom(table as 'users').selectAll()); // only compared or printed
  return rows.map((row) => ({ ...row }));
}

/** All rows that requests can change: accounts, factors, counters, record and mails. */
export async function everyRowOf(database: Database): Promise<Record<string, readonly string[]>> {
  const contents: Record<string, readonly string[]> = {};
  for (const table of tableNames(database))
    contents[table] = (await rowsIn(database, table)).map((row) => JSON.stringify(row)).toSorted();
  return contents;
}

/** Every byte of a database that the engine stores for us, as text: to assert that it does not contain a value. */
export async function everythingIn(url: string): Promise<string> {
  const path = sqlitePath(url);
  if (path !== undefined) {
    const files = await Promise.all(
      [path, `${path}-wal`].map((file) => readFile(file, 'latin1').catch(() => '')),
    );
    return files.join('\n');
  }
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const found = await client.query<{ name: string }>(
      "select table_name as name from information_schema.tables where table_schema = 'public'",
    );
    const rows: string[] = [];
    for (const { name } of found.rows) {
      const table = await client.query<{ row: string }>(`select t::text as row from "${name}" t`);
      rows.push(...table.rows.map(({ row }) => row));
    }
    return rows.join('\n');
  } finally {
    await client.end();
  }
}
