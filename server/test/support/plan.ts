// The query plan of a statement, in the words of the engine.
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import pg from 'pg';
import { plannerSettings, settings } from '../../src/db/postgres/postgres-connection.ts';
import { sqlitePath } from '../../src/db/open-database.ts';
import type { Recorded } from './recorder.ts';

/**
 * The engine's plan, a line for each step.
 * @param prefersIndices PostgreSQL scans and sorts only where no index can help, also in a table of few rows, which it
 * would rather read as a whole.
 */
export async function planOf(
  url: string,
  { compiled, parameters }: Recorded,
  { prefersIndices = false } = {},
): Promise<string[]> {
  const path = sqlitePath(url);
  const values = compiled.bind(parameters);
  return path === undefined
    ? planOnPostgres(url, prefersIndices ? indicesOnly : [], compiled.text, values.length)
    : planOnSqlite(path, compiled.text, values);
}

function planOnSqlite(path: string, text: string, values: unknown[]): string[] {
  using database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare(`explain query plan ${text}`).all(...(values as SQLInputValue[])); // as sqlite.ts binds them
  return rows.map((row) => String(row['detail']));
}

const indicesOnly = ['seqscan', 'sort', 'incremental_sort', 'bitmapscan'].map(
  (step) => `set enable_${step} = off`,
);

/** The plan for any values, which PostgreSQL uses for the prepared statements of the service. */
async function planOnPostgres(
  url: string,
  more: readonly string[],
  text: string,
  parameters: number,
): Promise<string[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query([...settings('set', plannerSettings), ...more].join('; '));
    await client.query(`prepare planned as ${text}`);
    const values = parameters === 0 ? '' : `(${Array.from({ length: parameters }, () => 'null').join()})`;
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain execute planned${values}`);
    return rows.map((row) => row['QUERY PLAN']);
  } finally {
    await client.end();
  }
}

/** Steps that read a whole table, which a hot statement must not do. */
export function scansOf(plan: readonly string[]): string[] {
  return plan.filter((step) => /^SCAN (?!CONSTANT ROW|subquery)|Seq Scan on/.test(step));
}

/**
 * Steps whose work grows with the table or with what others wrote: those that read a whole table or index, and those
 * that sort.
 */
export function unboundedStepsOf(plan: readonly string[]): string[] {
  const sorts = plan.filter((step) => /USE TEMP B-TREE|\bSort {2}\(/.test(step));
  // An index that is read without a condition, and whose rows are then filtered.
  const filtered = plan.filter(
    (step, i) => /Index (?:Only )?Scan/.test(step) && /^\s+Filter:/.test(plan[i + 1] ?? ''),
  );
  return [...scansOf(plan), ...sorts, ...filtered];
}
