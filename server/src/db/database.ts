// Declares the interfaces that stores use: statements, and a database of either engine or a transaction on it, which have
// the same interface, so that store functions compose. The differences between the engines are named capabilities, so
// that a store need not know which engine it runs on.
import type { Compilable, Expression, Kysely, RawBuilder, SqlBool } from 'kysely';

/**
 * The tables of `Database.query` if its callback names none. The service declares no tables here, so that every store
 * names the tables it uses; the tests declare theirs (test/support/tables.ts).
 */
export interface DefaultTables {}

/** Builds SQL on the given tables; it never runs it. */
export type Sql<Tables = DefaultTables> = Kysely<Tables>;

/** Names of column types and table options in DDL. */
export interface TypeNames {
  /** Integer primary key, ascending and never reused. */
  readonly serial: string;
  readonly integer: string;
  readonly text: string;
  readonly instant: string;
  readonly bytes: string;
  /** Options after the closing bracket of `create table`. */
  readonly table: string;
  /** The same for a table whose rows are found only by a text key. */
  readonly keyedTable: string;
  /** Keyword in `create index` and `drop index`, for a step outside a transaction. */
  readonly concurrently: string;
}

/** Expressions for the number (0 or 1) of tables or valid indexes with a name. */
interface Catalog {
  readonly countTables: (name: string) => RawBuilder<number>;
  readonly countIndexes: (name: string) => RawBuilder<number>;
}

export interface Engine {
  readonly name: 'sqlite' | 'postgres';
  /** Query builder without tables: each statement names its own. */
  readonly sql: Sql<object>;
  readonly types: TypeNames;
  readonly catalog: Catalog;
  /** True if a look-up crosses a socket, so that batching the look-ups of one turn of the event loop saves time. */
  readonly gathersLookups: boolean;
  /** 1 if the server accepts no changes now: it is a standby of another one, or it is read-only; else 0. */
  readonly isReadOnly: RawBuilder<number>;
  /** True if an index can be built without blocking writes, which must happen outside a transaction. */
  readonly buildsIndexesConcurrently: boolean;
}

/** A statement with named parameters `P` and rows `R`. It is compiled at its first use on each engine. */
export interface Statement<P extends object, R> {
  /** Name of the prepared statement on the server; unique in the process. */
  readonly name: string;
  readonly build: (sql: Sql<object>, parameters: P) => Compilable<R>;
}

/** Builds the condition that a column equals the key, or one of a batch of keys. */
export type IsKey = (column: string) => Expression<SqlBool>;

/** A look-up of rows by a text key, which an engine may batch with others of its kind. */
export interface Lookup<R extends { lookup_key: string }> {
  readonly name: string;
  readonly build: (sql: Sql<object>, isKey: IsKey) => Compilable<R>;
}

/** Builds a query on the given tables. */
export type QueryBuilder<R, Tables = DefaultTables> = (sql: Sql<Tables>) => Compilable<R>;

export interface Database {
  readonly engine: Engine;
  /** Words about the connection, for `bienvenue doctor`; none for a file. */
  readonly connectedBy?: string;

  /** Runs a prepared statement and returns its rows. A change is durable when the promise resolves. */
  run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]>;

  /** Runs a prepared statement and returns its first row, if any. */
  first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined>;

  /**
   * Works like `first` for a change that a power failure may undo, such as a counter: an engine may skip the wait for the
   * disk. The change survives a crash of the process. Not for use inside a transaction.
   */
  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined>;

  /**
   * Finds at most one row by key. Outside of a transaction an engine may batch the look-ups of one turn of the event
   * loop.
   */
  find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined>;

  /** Works like `find` for a key that several rows can have. */
  findAll<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R[]>;

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
   * await only the transaction (no hashing, no mail), because it may hold the only writer. The work may run a second
   * time after a rollback, so it must not change anything outside of the transaction. A nested call runs the work in
   * the outer one.
   */
  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T>;

  /** Waits for running statements and transactions, then closes. */
  close(): Promise<void>;
}

/** The database cannot be used. The message says why and what to do. */
export class DatabaseRefused extends Error {
  override readonly name = 'DatabaseRefused';
}

/** A unique index rejected a row. */
export class UniqueViolation extends Error {
  override readonly name = 'UniqueViolation';
}

/** A row refers to a row of another table that does not exist, or no longer. */
export class ReferenceViolation extends Error {
  override readonly name = 'ReferenceViolation';
}
