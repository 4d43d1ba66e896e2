// Implements `Database` for PostgreSQL, with named prepared statements on pooled connections. The look-ups of one turn of
// the event loop are sent as one statement, so that a remote database costs little more than one in the process.
import { sql as rawSql } from 'kysely';
import pg from 'pg';
import { isProblem, Problem } from '../kit/problem.ts';
import { UniqueViolation } from './database.ts';
import type { Database, Lookup, QueryBuilder, Sql, Statement } from './database.ts';
import { postgresEngine } from './engine.ts';
import { LookupBatch } from './lookup-batch.ts';
import { CompiledStatements, compileOnce, type Compiled } from './statement.ts';

/** Connections per instance. Ten are enough, because logins wait for the password hash, not for a connection. */
const poolSize = 10;
/** Server-side limit for a statement. No statement of the service takes longer, unless there is a fault. */
const statementTimeoutMs = 3000;
/** Client-side limit, for a server that does not respond at all. */
const queryTimeoutMs = 3500;
const connectTimeoutMs = 3000;

type Row = Record<string, unknown>;
type Queryable = Pick<pg.PoolClient, 'query'>;

const uniqueViolation = '23505';
/**
 * SQLSTATE codes of a stale prepared statement: its result has other columns since another instance migrated (0A000,
 * cached plan must not change result type), or the server discarded it (26000). A new connection prepares it again.
 */
const staleCodes = new Set(['0A000', '26000']);
/** Each attempt discards one stale connection, so one attempt more than the pool has connections is enough. */
const maxAttempts = poolSize + 1;
/** SQLSTATE classes of temporary faults: connection, resources, operator intervention, system, transaction rollback. */
const temporaryClasses = new Set(['08', '53', '57', '58', '40', '25']);

/** Reads bigint as number: the integers of the service are ids and milliseconds, far below 2^53. */
const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, Number);

function toError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as { code?: string }; // pg's DatabaseError, or a system error
  if (code === uniqueViolation) return new UniqueViolation(error.message, { cause: error });
  const isServerAnswer = error instanceof pg.DatabaseError;
  if (!isServerAnswer || temporaryClasses.has(code?.slice(0, 2) ?? '')) {
    return new Problem('unavailable', {
      message: `PostgreSQL: ${error.message}`,
      cause: error,
      retryAfterSeconds: 2,
    });
  }
  return error;
}

/** Returns whether the connection failed or timed out, as opposed to an error that the server sent. */
function isUnanswered(error: unknown): boolean {
  return isProblem(error, 'unavailable') && !(error.cause instanceof pg.DatabaseError);
}

function isStale(error: unknown): boolean {
  return error instanceof pg.DatabaseError && staleCodes.has(error.code ?? '');
}

/**
 * Runs one statement and returns its rows. On a pool it repeats a stale prepared statement: `query` of a pool discards a
 * connection after an error, so the next attempt uses another one.
 */
async function send<R>(target: Queryable, compiled: Compiled, parameters: object, attempt = 1): Promise<R[]> {
  const values = compiled.bind(parameters);
  const query =
    compiled.name === ''
      ? { text: compiled.text, values }
      : { name: compiled.name, text: compiled.text, values };
  try {
    const result = await target.query<Row>(query);
    return result.rows as R[]; // the row type was inferred from the statement that wrote the SQL
  } catch (error) {
    const mayRepeat = target instanceof pg.Pool && compiled.name !== '' && attempt < maxAttempts;
    if (mayRepeat && isStale(error)) return send(target, compiled, parameters, attempt + 1);
    throw toError(error);
  }
}

const compiledStatements = new CompiledStatements(postgresEngine);

/** Runs statements on a pool, or on the connection of a transaction. */
class PostgresTransaction implements Database {
  readonly engine = postgresEngine;
  readonly #client: Queryable;
  #isStale = false;

  constructor(client: Queryable) {
    this.#client = client;
  }

  /** True if a prepared statement was stale: the transaction has failed, and can succeed on another connection. */
  get isStale(): boolean {
    return this.#isStale;
  }

  run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    return this.#send(compiledStatements.of(statement), parameters);
  }

  async first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return (await this.run(statement, parameters))[0];
  }

  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.first(statement, parameters);
  }

  async find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    return (await this.#send<R>(compiledStatements.ofLookup(lookup), { key: [key] }))[0];
  }

  query<R, Tables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
    return this.#send<R>(compileOnce(postgresEngine, build), {});
  }

  async now(): Promise<number> {
    const [row] = await this.query((sql: Sql<object>) =>
      sql.selectNoFrom(rawSql<number>`extract(epoch from clock_timestamp()) * 1000`.as('now')),
    );
    return Number(row?.now);
  }

  async execute(text: string): Promise<void> {
    await this.control(text);
  }

  /** Runs a text and returns the command that the server executed, such as `COMMIT`. */
  async control(text: string): Promise<string> {
    try {
      return (await this.#client.query(text)).command;
    } catch (error) {
      throw toError(error);
    }
  }

  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    return work(this);
  }

  async close(): Promise<void> {
    throw new Error('A transaction cannot be closed; it ends when its function returns');
  }

  #send<R>(compiled: Compiled, parameters: object): Promise<R[]> {
    const rows = send<R>(this.#client, compiled, parameters);
    rows.catch((error: unknown) => {
      if (error instanceof Error && isStale(error)) this.#isStale = true;
    });
    return rows;
  }
}

class PostgresDatabase implements Database {
  readonly engine = postgresEngine;
  readonly #pool: pg.Pool;
  readonly #plain: PostgresTransaction;
  readonly #lookups = new Map<string, LookupBatch>();
  /** Number of unanswered calls: ending the pool would drop those that wait for a connection. */
  #pending = 0;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
    // `query` of a pool uses any idle connection, which is sufficient outside of a transaction.
    this.#plain = new PostgresTransaction(pool);
  }

  run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    return this.#call(() => this.#plain.run(statement, parameters));
  }

  first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.#call(() => this.#plain.first(statement, parameters));
  }

  /** Waits for the disk like `first`: turning that off in PostgreSQL would take a transaction of three statements. */
  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.#call(() => this.#plain.first(statement, parameters));
  }

  find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    return this.#call(() => this.#batch(lookup).find(key) as Promise<R | undefined>); // the row type of the look-up
  }

  query<R, Tables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
    return this.#call(() => this.#plain.query(build));
  }

  now(): Promise<number> {
    return this.#call(() => this.#plain.now());
  }

  execute(text: string): Promise<void> {
    return this.#call(() => this.#plain.execute(text));
  }

  transaction<T>(work: (transaction: Database) => Promise<T>): Promise<T> {
    return this.#call(() => this.#transact(work));
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

  #batch<R extends { lookup_key: string }>(lookup: Lookup<R>): LookupBatch {
    let batch = this.#lookups.get(lookup.name);
    if (batch === undefined) {
      const compiled = compiledStatements.ofLookup(lookup);
      batch = new LookupBatch((key) => send<Row>(this.#pool, compiled, { key }));
      this.#lookups.set(lookup.name, batch);
    }
    return batch;
  }

  /** Runs the work in a transaction. After a stale statement the whole work runs again: nothing of it was committed. */
  async #transact<T>(work: (transaction: Database) => Promise<T>, attempt = 1): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw toError(error);
    });
    const transaction = new PostgresTransaction(client);
    let broken = false;
    try {
      await transaction.execute('begin');
      const result = await work(transaction);
      // After a failed statement the server answers COMMIT with a rollback and reports no error.
      const ended = await transaction.control('commit');
      if (ended !== 'COMMIT') throw new Error('The transaction was rolled back because a statement failed');
      return result;
    } catch (error) {
      // A connection that did not respond, cannot roll back, or has stale statements is discarded instead of returned to
      // the pool. If it did not respond, no rollback is sent: that would double the wait.
      broken = isUnanswered(error);
      if (!broken) await client.query('rollback').catch(() => (broken = true));
      if (!transaction.isStale || attempt === maxAttempts) throw error;
      broken = true;
    } finally {
      client.release(broken);
    }
    return this.#transact(work, attempt + 1);
  }
}

/**
 * Opens a PostgreSQL database. Connections are opened on demand, and again after a restart of the server. With `patient`
 * there are no time limits: migrations wait for each other, and may move much data.
 * @throws {Problem} unavailable if the server does not respond.
 */
export async function openPostgres(url: string, { patient = false } = {}): Promise<Database> {
  const limits = {
    statement_timeout: statementTimeoutMs,
    query_timeout: queryTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
  };
  const pool = new pg.Pool({
    connectionString: url,
    max: poolSize,
    types,
    application_name: 'bienvenue',
    connectionTimeoutMillis: connectTimeoutMs,
    ...(patient ? {} : limits),
    keepAlive: true,
    allowExitOnIdle: true,
  });
  // A broken idle connection affects no request: the pool removes it and opens another.
  pool.on('error', () => {});
  // A connection that breaks during a transaction fails the running query. Without this listener the event would end the
  // process.
  pool.on('connect', (client) => client.on('error', () => {}));
  try {
    await pool.query('select 1');
  } catch (error) {
    await pool.end();
    throw toError(error);
  }
  return new PostgresDatabase(pool);
}
