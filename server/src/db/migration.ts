// Declares how a module describes its schema: numbered steps, each with a name and its statements.
import type { Database, Sql, TypeNames } from './database.ts';

/**
 * A step of a module's schema. Steps run forward only, are numbered by their position in the module's list, and are never
 * edited after their release. The previous release must work with the newer schema: a step only adds, and what it
 * replaces is dropped one release later.
 */
export interface Migration {
  /** Describes the step in the log. */
  readonly name: string;
  readonly statements: (type: TypeNames) => readonly string[];
  /** For `create index concurrently`: the statements run outside a transaction if the engine supports it. */
  readonly isOutsideTransaction?: true;
  /**
   * Returns whether the step was already done, so that its statements are skipped. A step outside a transaction may be
   * interrupted before its version is stored: it needs this check, or statements that can run again.
   */
  readonly isDone?: (db: Database) => Promise<boolean>;
  /** Number of the step in the single list of the table bienvenue_schema, which schema_versions replaced. */
  readonly formerly?: number;
}

/** A module and the steps of its schema. */
export interface MigratedModule {
  readonly name: string;
  readonly migrations: readonly Migration[];
}

/** Returns whether the database has a table. */
export async function hasTable(db: Database, table: string): Promise<boolean> {
  const [row] = await db.query((sql: Sql<object>) =>
    sql.selectNoFrom(db.engine.catalog.countTables(table).as('count')),
  );
  return row?.count === 1;
}

/** Returns whether the database has a valid index. PostgreSQL leaves an invalid index if its creation is interrupted. */
export async function hasIndex(db: Database, index: string): Promise<boolean> {
  const [row] = await db.query((sql: Sql<object>) =>
    sql.selectNoFrom(db.engine.catalog.countIndexes(index).as('count')),
  );
  return row?.count === 1;
}

/** Returns a step that adds an index without blocking writes to its table; `on` is `table (column, …)`. */
export function concurrentIndex(index: string, on: string, kind: 'unique' | '' = ''): Migration {
  return {
    name: `index ${index}`,
    isOutsideTransaction: true,
    isDone: (db) => hasIndex(db, index),
    statements: ({ concurrently }) => [
      `drop index ${concurrently} if exists ${index}`, // removes the invalid index of an interrupted attempt
      `create ${kind} index ${concurrently} ${index} on ${on}`,
    ],
  };
}
