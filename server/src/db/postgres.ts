// PostgreSQL: named statements on pooled connections. The look-ups of one turn of the event loop are gathered into one
// statement, which makes a database across a socket as cheap as one in the process.
import { sql as rawSql } from 'kysely';
import pg from 'pg';
import { isProblem, Problem } from '../kit/problem.ts';
import { UniqueViolation, type Database, type QueryBuilder } from './database.ts';
import { postgresEngine, type DefaultTables, type Sql } from './engine.ts';
import { CompiledStatements, compileOnce, type Compiled, type Lookup, type Statement } from './statement.ts';

/** Connections of one instance. PasswordLogin wait for the hash, not for a connection. */
const poolSize = 10;
/** A query that takes longer than this has met a fault, not work of ours (SECURITY: 503 in three seconds). */
const statementTimeoutMs = 3000;
/** The client's own limit, for a server that does not answer at all. */
const queryTimeoutMs = 3500;
const connectTimeoutMs = 3000;
/** Keys in one gathered statement. */
const gatheredKeys = 500;

type Row = Record<string, unknown>;
type Queryable = Pick<pg.PoolClient, 'query'>;

const uniqueViolation = '23505';
/**
 * The connection's prepared statement is of no use any more: its result has other columns since another instance
 * migrated (0A000, cached plan must not change result type), or the server forgot it (26000). A new connection prepares
 * it again.
 */
const staleCodes = new Set(['0A000', '26000']);
/** Each attempt discards one stale connection, so that one more than the pool has is enough. */
const maxAttempts = poolSize + 1;
/** SQLSTATE classes of faults of the moment: connection, resources, operator intervention, system, transaction rollback. */
const passingClasses = new Set(['08', '53', '57', '58', '40', '25']);

/** bigint as number: our integers are ids and milliseconds, far below 2^53. */
const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, Number);

function toError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as { code?: string }; // pg's DatabaseError, or a system error
  if (code === uniqueViolation) return new UniqueViolation(error.message, { cause: error });
  const isServerAnswer = error instanceof pg.DatabaseError;
  if (!isServerAnswer || passingClasses.has(code?.slice(0, 2) ?? '')) {
    return new Problem('unavailable', {
      message: `PostgreSQL: ${error.message}`,
      cause: error,
      retryAfterSeconds: 2,
    });
  }
  return error;
}

/** True for a fault of the line or the server's silence, as opposed to an error that the server told. */
function isUnanswered(error: unknown): boolean {
  return isProblem(error, 'unavailable') && !(error.cause instanceof pg.DatabaseError);
}

function isStale(error: unknown): boolean {
  return error instanceof pg.DatabaseError && staleCodes.has(error.code ?? '');
}

/** Runs one statement; on a pool, whose `query` discards the connection of an error, until a prepared one is not stale. */
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

interface Waiting {
  readonly resolve: (row: Row | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** The look-ups of one kind that the present turn of the event loop has asked for. */
class Gatherer {
  readonly #target: Queryable;
  readonly #compiled: Compiled;
  #waiting = new Map<string, Waiting[]>();

  constructor(target: Queryable, compiled: Compiled) {
    this.#target = target;
    this.#compiled = compiled;
  }

  find(key: string): Promise<Row | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size === 0) setImmediate(() => void this.#flush());
      const others = this.#waiting.get(key);
      if (others === undefined) this.#waiting.set(key, [{ resolve, reject }]);
      else others.push({ resolve, reject });
    });
  }

  async #flush(): Promise<void> {
    const asked = this.#waiting;
    this.#waiting = new Map();
    const keys = [...asked.keys()];
    const parts = [];
    for (let i = 0; i < keys.length; i += gatheredKeys)
      parts.push(this.#ask(keys.slice(i, i + gatheredKeys), asked));
    await Promise.all(parts);
  }

  async #ask(keys: string[], asked: ReadonlyMap<string, Waiting[]>): Promise<void> {
    try {
      const rows = await send<Row>(this.#target, this.#compiled, { key: keys });
      const found = new Map(rows.map((row) => [row['lookup_key'], row]));
      for (const key of keys) for (const { resolve } of asked.get(key) ?? []) resolve(found.get(key));
    } catch (error) {
      for (const key of keys) for (const { reject } of asked.get(key) ?? []) reject(error);
    }
  }
}

/** Runs statements on a pool, or on the one connection of a transaction. */
class PostgresTransaction implements Database {
  readonly engine = postgresEngine;
  readonly #client: Queryable;
  #isStale = false;

  constructor(client: Queryable) {
    this.#client = client;
  }

  /** True once a prepared statement was stale: the transaction has failed, and succeeds on another connection. */
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

  query<R, Tables = DefaultTables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
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

  /** Runs a text and names the command that the server took it for. */
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
  readonly #gatherers = new Map<string, Gatherer>();
  /** Calls not yet answered: a pool that ends would drop those that wait for a connection. */
  #underWay = 0;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
    // A pool answers `query` by an idle connection: outside of a transaction that is all there is to do.
    this.#plain = new PostgresTransaction(pool);
  }

  run<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R[]> {
    return this.#call(() => this.#plain.run(statement, parameters));
  }

  first<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.#call(() => this.#plain.first(statement, parameters));
  }

  /** PostgreSQL waits for its disk alike: telling it not to would take a transaction of three statements. */
  note<P extends object, R>(statement: Statement<P, R>, parameters: P): Promise<R | undefined> {
    return this.#call(() => this.#plain.first(statement, parameters));
  }

  find<R extends { lookup_key: string }>(lookup: Lookup<R>, key: string): Promise<R | undefined> {
    return this.#call(() => this.#gatherer(lookup).find(key) as Promise<R | undefined>); // the lookup's own row type
  }

  query<R, Tables = DefaultTables>(build: QueryBuilder<R, Tables>): Promise<R[]> {
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
    this.#tellIfIdle();
    await this.#closing.promise;
    await this.#pool.end();
  }

  async #call<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new Problem('unavailable', { message: 'The database is closed' });
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
      this.#tellIfIdle();
    }
  }

  #tellIfIdle(): void {
    if (this.#underWay === 0) this.#closing?.resolve();
  }

  #gatherer<R extends { lookup_key: string }>(lookup: Lookup<R>): Gatherer {
    let gatherer = this.#gatherers.get(lookup.name);
    if (gatherer === undefined) {
      gatherer = new Gatherer(this.#pool, compiledStatements.ofLookup(lookup));
      this.#gatherers.set(lookup.name, gatherer);
    }
    return gatherer;
  }

  /** Runs the work again, as a whole, if a stale statement made it fail: nothing of it was committed. */
  async #transact<T>(work: (transaction: Database) => Promise<T>, attempt = 1): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw toError(error);
    });
    const transaction = new PostgresTransaction(client);
    let broken = false;
    try {
      await transaction.execute('begin');
      const result = await work(transaction);
      // After a failed statement the server answers a commit with a rollback, and no error.
      const ended = await transaction.control('commit');
      if (ended !== 'COMMIT') throw new Error('The transaction was rolled back because a statement failed');
      return result;
    } catch (error) {
      // A connection that gave no answer, cannot even roll back, or has stale statements is discarded, not returned to
      // the pool. The first is not asked again: that would double the wait.
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
 * Opens a PostgreSQL database. Connections are made when they are needed, and made again after a restart of the server.
 * A patient one has no limits of time: migrations wait for each other, and may have much to move.
 * @throws {Problem} unavailable, when the server does not answer.
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
  // An idle connection that breaks is no fault of any request: the pool drops it and makes another.
  pool.on('error', () => {});
  // One that breaks under a transaction fails the query that it was at; unheard, its event would end the process.
  pool.on('connect', (client) => client.on('error', () => {}));
  try {
    await pool.query('select 1');
  } catch (error) {
    await pool.end();
    throw toError(error);
  }
  return new PostgresDatabase(pool);
}
