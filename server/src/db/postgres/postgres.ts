// Implements `Database` for PostgreSQL. The look-ups of one turn of the event loop are sent as one statement, so that a
// remote database costs little more than one in the process.
import { setTimeout as pause } from 'node:timers/promises';
import { sql as rawSql } from 'kysely';
import { Problem } from '../../kit/problem.ts';
import type { Database, Lookup, QueryBuilder, Sql, Statement } from '../database.ts';
import { postgresEngine } from '../engine.ts';
import { LookupBatch } from './lookup-batch.ts';
import { mayRunAgain } from './postgres-error.ts';
import type { Connection } from './postgres-connection.ts';
import { PostgresPool, type PostgresSettings } from './postgres-pool.ts';
import { CompiledStatements, compileOnce, type Compiled } from '../statement.ts';

type Row = Record<string, unknown>;

/** Pause before a second run: the other transaction of a conflict goes first, or both would meet again. */
const secondRunMs = 50;

const compiledStatements = new CompiledStatements(postgresEngine);

/** Runs statements on the connection of a transaction. */
class PostgresTransaction implements Database {
  readonly engine = postgresEngine;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    return this.#connection.send(compiledStatements.of(statement), parameters);
  }

  async first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return (await this.run(statement, parameters))[0];
  }

  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.first(statement, parameters);
  }

  async find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    return (await this.findAll(lookup, key))[0];
  }

  findAll<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R[]> {
    return this.#connection.send<R>(compiledStatements.ofLookup(lookup), { key: [key] });
  }

  query<R, Tables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
    return this.#connection.send<R>(compileOnce(postgresEngine, build), {});
  }

  async now(): Promise<number> {
    const [row] = await this.query((sql: Sql<object>) =>
      sql.selectNoFrom(rawSql<number>`extract(epoch from clock_timestamp()) * 1000`.as('now')),
    );
    return Number(row?.now);
  }

  async execute(text: string): Promise<void> {
    await this.#connection.control(text);
  }

  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    return work(this);
  }

  async close(): Promise<void> {
    throw new Error('A transaction cannot be closed; it ends when its function returns');
  }
}

/** Statements as `Database.note` runs them, by the name of the statement. */
const notedStatements = new Map<string, Compiled>();

/**
 * Returns the statement with a commit that does not wait for the disk. The setting holds for the transaction of the
 * statement, so it needs no other message and no session, which a pooler may lend to another client.
 */
function noted(compiled: Compiled): Compiled {
  if (!compiled.isReturning) return compiled;
  let found = notedStatements.get(compiled.name);
  if (found === undefined) {
    const text = `${compiled.text}, set_config('synchronous_commit', 'off', true) as synchronous_commit`;
    found = { ...compiled, name: `${compiled.name}_noted`, text };
    notedStatements.set(compiled.name, found);
  }
  return found;
}

class PostgresDatabase implements Database {
  readonly engine = postgresEngine;
  readonly #pool: PostgresPool;
  readonly #lookups = new Map<string, LookupBatch>();
  /** Number of unanswered calls: ending the pool would drop those that wait for a connection. */
  #pending = 0;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  get connectedBy(): string {
    return this.#pool.says;
  }

  run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    return this.#call(() => this.#send<R>(compiledStatements.of(statement), parameters));
  }

  async first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return (await this.run(statement, parameters))[0];
  }

  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.#call(async () => {
      const [found] = await this.#send<Row>(noted(compiledStatements.of(statement)), parameters);
      if (found === undefined) return undefined;
      const { synchronous_commit: _setting, ...row } = found;
      return row as R; // the row type was inferred from the statement
    });
  }

  async find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    return (await this.findAll(lookup, key))[0];
  }

  findAll<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R[]> {
    return this.#call(() => this.#batch(lookup).find(key) as Promise<R[]>); // the row type of the look-up
  }

  query<R, Tables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
    return this.#call(() => this.#send<R>(compileOnce(postgresEngine, build), {}));
  }

  now(): Promise<number> {
    return this.#call(() => this.#onConnection((connection) => new PostgresTransaction(connection).now()));
  }

  execute(text: string): Promise<void> {
    return this.#call(() =>
      this.#onConnection(async (connection) => {
        await connection.control(text);
      }),
    );
  }

  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    return this.#call(() => this.#onConnection((connection) => transact(connection, work)));
  }

  async close(): Promise<void> {
    this.#closing ??= Promise.withResolvers();
    this.#resolveIfIdle();
    await this.#closing.promise;
    await this.#pool.end();
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new Problem('unavailable', { message: 'The database is closed' });
    this.#pending += 1;
    try {
      return await work();
    } finally {
      this.#pending -= 1;
      this.#resolveIfIdle();
    }
  }

  #resolveIfIdle(): void {
    if (this.#pending === 0) this.#closing?.resolve();
  }

  #send<R>(compiled: Compiled, parameters: object): Promise<R[]> {
    return this.#onConnection((connection) => connection.send<R>(compiled, parameters));
  }

  #batch<R extends { lookup_key: string }>(lookup: Lookup<R>): LookupBatch {
    let batch = this.#lookups.get(lookup.name);
    if (batch === undefined) {
      const compiled = compiledStatements.ofLookup(lookup);
      batch = new LookupBatch((key) => this.#send<Row>(compiled, { key }));
      this.#lookups.set(lookup.name, batch);
    }
    return batch;
  }

  /** Runs a statement or a transaction, and a second time if the server answered that nothing of it was committed. */
  async #onConnection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    try {
      return await this.#pool.use(work);
    } catch (error) {
      if (!mayRunAgain(error)) throw error;
      await pause(secondRunMs);
    }
    return this.#pool.use(work);
  }
}

async function transact<T>(connection: Connection, work: (transaction: Database) => Promise<T>): Promise<T> {
  try {
    await connection.begin();
    const result = await work(new PostgresTransaction(connection));
    // After a failed statement the server answers COMMIT with a rollback and reports no error.
    const ended = await connection.control('commit');
    if (ended !== 'COMMIT') throw new Error('The transaction was rolled back because a statement failed');
    return result;
  } catch (error) {
    // A connection that will be discarded is not rolled back: if it does not respond, that would double the wait.
    if (connection.fault === undefined) await connection.control('rollback').catch(() => {});
    // The work may have replaced the error of its statement by another one.
    throw mayRunAgain(connection.firstError) ? connection.firstError : error;
  }
}

/**
 * Opens a PostgreSQL database. Connections are opened on demand, and again after a restart of the server.
 * @throws {Problem} unavailable if the server does not respond; database_read_only if it is a standby.
 * @throws {DatabaseRefused} if a pooler was declared to be in another mode than it is.
 */
export async function openPostgres(url: string, settings: PostgresSettings): Promise<Database> {
  const pool = new PostgresPool(url, settings);
  try {
    await pool.use(async () => {});
    await pool.requireSessions();
  } catch (error) {
    await pool.end();
    throw error;
  }
  return new PostgresDatabase(pool);
}
