// Reads and updates columns with encrypted texts, in the tables of any module.
import { sql as rawSql } from 'kysely';
import type { Database, Sql } from '../db/database.ts';
import type { SealedColumn } from '../db/schema.ts';

/** The encrypted text of one row. */
export interface SealedText {
  readonly id: string;
  readonly text: string;
}

/** Any table with any columns. */
type AnyTables = Record<string, Record<string, string | null>>;

/** Returns the texts that do not begin with the prefix of the current key, in the order of their ids after the given id. */
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

/** Counts the texts that do not begin with the prefix of the current key. */
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

/** Replaces the text of a row. Returns false if the row no longer has the given text. */
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
