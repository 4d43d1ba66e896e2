// What a module says of its schema: numbered steps, each a name and its statements.
import type { Database } from './database.ts';
import type { Sql, TypeNames } from './engine.ts';

/**
 * A step of a module's schema. Steps are forward only, numbered by their place in the module's list, and never edited
 * once released. An older release keeps working next to the newer schema: a step adds; what it replaces is dropped one
 * release later.
 */
export interface Migration {
  /** Says in the log what the step is for. */
  readonly name: string;
  readonly statements: (type: TypeNames) => readonly string[];
  /** For `create index concurrently`: the statements run outside a transaction where the engine can do that. */
  readonly isOutsideTransaction?: true;
  /**
   * Says that the step needs no statements. A step outside a transaction may be interrupted between its statements and
   * the note of its version: it either has this check, or statements that can run again.
   */
  readonly isDone?: (db: Database) => Promise<boolean>;
  /** Number of the step in the single list of the table bienvenue_schema, which came before schema_versions. */
  readonly formerly?: number;
}

/** A module and the steps of its schema. */
export interface MigratedModule {
  readonly name: string;
  readonly migrations: readonly Migration[];
}

/** True if the database has the table. */
export async function hasTable(db: Database, table: string): Promise<boolean> {
  const [row] = await db.query((sql: Sql<object>) =>
    sql.selectNoFrom(db.engine.catalog.countTables(table).as('count')),
  );
  return row?.count === 1;
}

/** True if the database has the index and it is valid: PostgreSQL leaves an invalid one if its creation is interrupted. */
export async function hasIndex(db: Database, index: string): Promise<boolean> {
  const [row] = await db.query((sql: Sql<object>) =>
    sql.selectNoFrom(db.engine.catalog.countIndexes(index).as('count')),
  );
  return row?.count === 1;
}

/** Returns a step that adds an index without stopping the writes to its table: `on` is `table (column, …)`. */
export function concurrentIndex(index: string, on: string): Migration {
  return {
    name: `index ${index}`,
    isOutsideTransaction: true,
    isDone: (db) => hasIndex(db, index),
    statements: ({ concurrently }) => [
      `drop index ${concurrently} if exists ${index}`, // an invalid one, of an interrupted attempt
      `create index ${concurrently} ${index} on ${on}`,
    ],
  };
}
