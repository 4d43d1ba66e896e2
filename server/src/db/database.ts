// What a store holds: a database of either engine, or a transaction on it, which looks the same so that store
// functions compose.
import type { Compilable } from 'kysely';
import type { DefaultTables, Engine, Sql } from './engine.ts';
import type { Lookup, Statement } from './statement.ts';

/** Writes a query about the given tables. */
export type QueryBuilder<R, Tables = DefaultTables> = (sql: Sql<Tables>) => Compilable<R>;

export interface Database {
  readonly engine: Engine;

  /** Runs a prepared statement; what changes something is durable when the promise resolves. */
  run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]>;

  /** As `run`, for at most one row. */
  first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined>;

  /**
   * As `first`, for a change that a power cut may undo, such as a count: an engine may leave out its wait for the disk.
   * It survives the end of the process all the same. Not inside a transaction.
   */
  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined>;

  /** Finds at most one row by key. Outside of a transaction an engine may gather the look-ups of one turn. */
  find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined>;

  /**
   * Builds and runs a query whose shape depends on its input. Not for hot paths. The callback says which tables it is
   * about: `db.query((sql: Sql<UserTables>) => …)`.
   */
  query<R, Tables = DefaultTables>(build: QueryBuilder<R, Tables>): Promise<R[]>;

  /** The engine's own clock, in Unix milliseconds: only for comparing it with ours. */
  now(): Promise<number>;

  /** Runs DDL or another text without parameters: for migrations. */
  execute(text: string): Promise<void>;

  /**
   * Runs the work in one transaction: all or nothing. Inside it await nothing but the transaction (no hashing, no
   * mail), because it may hold the one writer. The work may run again after it failed and was rolled back, so it changes
   * nothing outside of the transaction. Inside a transaction it just runs the work.
   */
  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T>;

  /** Waits for what was begun, then closes. */
  close(): Promise<void>;
}

/** A unique index refused a row. Which one, the caller knows from what it wrote. */
export class UniqueViolation extends Error {
  override readonly name = 'UniqueViolation';
}
