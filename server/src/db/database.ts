// Declares the interface that stores use: a database of either engine, or a transaction on it. Both have the same
// interface, so that store functions compose.
import type { Compilable } from 'kysely';
import type { DefaultTables, Engine, Sql } from './engine.ts';
import type { Lookup, Statement } from './statement.ts';

/** Builds a query on the given tables. */
export type QueryBuilder<R, Tables = DefaultTables> = (sql: Sql<Tables>) => Compilable<R>;

export interface Database {
  readonly engine: Engine;

  /** Runs a prepared statement and returns its rows. A change is durable when the promise resolves. */
  run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]>;

  /** Runs a prepared statement and returns its first row, if any. */
  first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined>;

  /**
   * Works like `first` for a change that a power failure may undo, such as a counter: an engine may skip the wait for the
   * disk. The change survives a crash of the process. Not for use inside a transaction.
   */
  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined>;

  /** Finds at most one row by key. Outside of a transaction an engine may batch the look-ups of one turn of the event loop. */
  find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined>;

  /**
   * Builds and runs a query whose SQL depends on its input. Not for hot paths. The type of the callback's parameter names
   * the tables: `db.query((sql: Sql<UserTables>) => …)`.
   */
  query<R, Tables = DefaultTables>(build: QueryBuilder<R, Tables>): Promise<R[]>;

  /** Returns the time of the database server in Unix milliseconds, to compare it with the clock of this process. */
  now(): Promise<number>;

  /** Runs DDL or another text without parameters. Migrations use it. */
  execute(text: string): Promise<void>;

  /**
   * Runs the work in one transaction, which is committed if the work succeeds and rolled back if it throws. Inside it,
   * await only the transaction (no hashing, no mail), because it may hold the only writer. The work may run again after a
   * rollback, so it must not change anything outside of the transaction. A nested call runs the work in the outer one.
   */
  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T>;

  /** Waits for running statements and transactions, then closes. */
  close(): Promise<void>;
}

/** A unique index rejected a row. */
export class UniqueViolation extends Error {
  override readonly name = 'UniqueViolation';
}
