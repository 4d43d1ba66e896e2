// The query plan of a statement, in the words of the engine.
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import pg from 'pg';
import { sqlitePath } from '../../src/db/open-database.ts';
import type { Recorded } from './recorder.ts';

/** The engine's plan, a line for each step. */
export async function planOf(url: string, { compiled, parameters }: Recorded): Promise<string[]> {
  const path = sqlitePath(url);
  const values = compiled.bind(parameters);
  return path === undefined
    ? planOnPostgres(url, compiled.text, values)
    : planOnSqlite(path, compiled.text, values);
}

function planOnSqlite(path: string, text: string, values: unknown[]): string[] {
  using database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare(`explain query plan ${text}`).all(...(values as SQLInputValue[])); // as sqlite.ts binds them
  return rows.map((row) => String(row['detail']));
}

async function planOnPostgres(url: string, text: string, values: unknown[]): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ 'QUERY PLAN': string }>({ text: `explain ${text}`, values });
    return rows.map((row) => row['QUERY PLAN']);
  } finally {
    await client.end();
  }
}

/** Steps that read a whole table, which a hot statement must not do. */
export function scansOf(plan: readonly string[]): string[] {
  return plan.filter((step) => /^SCAN (?!CONSTANT ROW|subquery)|Seq Scan on/.test(step));
}
