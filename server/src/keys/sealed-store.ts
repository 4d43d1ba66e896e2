// The rows of columns that hold encrypted texts, of whatever module.
import { sql as rawSql } from 'kysely';
import type { Database } from '../db/database.ts';
import type { Sql } from '../db/engine.ts';
import type { SealedColumn } from '../db/schema.ts';

/** The encrypted text of one row. */
export interface SealedText {
  readonly id: string;
  readonly text: string;
}

/** Any table, by the columns that are used here. */
type AnyTables = Record<string, Record<string, string | null>>;

/** Texts, by ascending id after the given one, that do not begin with the prefix of the current key. */
export async function listSealedOtherwise(
  db: Database,
  { table, column }: SealedColumn,
  { prefix, after, limit }: { prefix: string; after: string; limit: number },
): Promise<SealedText[]> {
  const rows = await db.query((sql: Sql<AnyTables>) =>
    sql
      .selectFrom(table)
      .select(['id', `${column} as text`])
      .where('id', '>', after)
      .where(column, 'is not', null)
      .where(rawSql<boolean>`substr(${rawSql.ref(column)}, 1, ${rawSql.lit(prefix.length)}) <> ${prefix}`)
      .orderBy('id')
      .limit(limit),
  );
  return rows.map((row) => ({ id: String(row['id']), text: String(row['text']) }));
}

/** Counts what `listSealedOtherwise` lists. */
export async function countSealedOtherwise(
  db: Database,
  { table, column }: SealedColumn,
  prefix: string,
): Promise<number> {
  const [row] = await db.query((sql: Sql<AnyTables>) =>
    sql
      .selectFrom(table)
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where(column, 'is not', null)
      .where(rawSql<boolean>`substr(${rawSql.ref(column)}, 1, ${rawSql.lit(prefix.length)}) <> ${prefix}`),
  );
  return row?.count ?? 0;
}

/** Replaces the text of a row; false if it is no longer the given one. */
export async function replaceSealed(
  tx: Database,
  { table, column }: SealedColumn,
  { id, text }: SealedText,
  newText: string,
): Promise<boolean> {
  const rows = await tx.query((sql: Sql<AnyTables>) =>
    sql
      .updateTable(table)
      .set({ [column]: newText })
      .where('id', '=', id)
      .where(column, '=', text)
      .returning('id'),
  );
  return rows.length === 1;
}
