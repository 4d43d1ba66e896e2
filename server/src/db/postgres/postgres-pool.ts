// The connections to PostgreSQL: finds the server that accepts changes among those that the URL names, prepares new
// connections to it, and discards connections after a fault.
import pg from 'pg';
import { isProblem, Problem } from '../../kit/problem.ts';
import {
  readPostgresUrl,
  serverName,
  type Pooler,
  type PostgresServers,
} from '../../kit/postgres/postgres-url.ts';
import { DatabaseRefused } from '../database.ts';
import type { DatabaseTimes } from '../database-times.ts';
import { Connection, mannerOf, plannerSettings, settings, type Manner } from './postgres-connection.ts';
import { isOfServer, toConnectionError } from './postgres-error.ts';
import '../problem.ts';

export interface PostgresSettings {
  readonly pooler: Pooler;
  /** Maximum number of connections. */
  readonly connections: number;
  readonly times: DatabaseTimes;
}

/** Reads bigint as number: the integers of the service are ids and milliseconds, far below 2^53. */
const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, Number);

/** What a connection says about the server behind it. */
interface ServerFacts {
  readonly pid: number;
  readonly is_standby: boolean;
  readonly is_read_only: boolean;
}

const selectFacts = `select pg_backend_pid() as pid, pg_is_in_recovery() as is_standby,
  current_setting('transaction_read_only') = 'on' as is_read_only`;

/** Connections to the server that accepts changes. */
export class PostgresPool {
  readonly #servers: PostgresServers;
  readonly #settings: PostgresSettings;
  readonly #limits: Readonly<Record<string, number>>;
  readonly #pool: pg.Pool;
  readonly #known = new WeakMap<pg.ClientBase, { readonly manner: Manner; readonly generation: number }>();
  /** The server of new connections. */
  #url: string;
  #search: Promise<void> | undefined;
  /** Connections of an earlier generation are discarded: a fault that they share was seen on one of them. */
  #generation = 0;
  #manner: Manner | undefined;

  constructor(url: string, poolSettings: PostgresSettings) {
    this.#settings = poolSettings;
    this.#servers = readPostgresUrl(url);
    this.#url = this.#servers.urls[0] ?? url;
    const { statementMs, connectMs } = poolSettings.times;
    // Also without a limit, because the role may have one.
    this.#limits = { statement_timeout: statementMs, idle_in_transaction_session_timeout: statementMs };
    const config = (): pg.ClientConfig => this.#config();
    this.#pool = new pg.Pool({
      max: poolSettings.connections,
      connectionTimeoutMillis: connectMs,
      allowExitOnIdle: true,
      Client: class extends pg.Client {
        constructor() {
          super(config());
        }
      },
    });
    // A broken idle connection affects no request: the pool removes it and opens another.
    this.#pool.on('error', () => {});
    // A connection that breaks during a transaction fails the running query. Without this listener the event would end
    // the process.
    this.#pool.on('connect', (client) => client.on('error', () => {}));
  }

  /** Words for `bienvenue doctor` about the newest connection. */
  get says(): string {
    return `${serverName(this.#url)}, ${this.#manner?.says ?? 'not connected'}`;
  }

  /** Runs the work on a connection, which no other work uses at the same time. */
  async use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const { client, manner } = await this.#connect();
    const connection = new Connection(client, manner, this.#limits);
    try {
      return await work(connection);
    } finally {
      if (connection.fault !== undefined) this.#discardOthersOf(client);
      client.release(connection.fault !== undefined);
    }
  }

  /**
   * Checks that two connections of a pooler that was declared to lend them for a session have two of the server. While
   * the pooler has other work, it may lend two also in transaction mode, which is then found by a later error.
   * @throws {DatabaseRefused} if they have the same one: settings and prepared statements would reach other clients.
   */
  async requireSessions(): Promise<void> {
    if (this.#manner?.isAssumed !== true) return;
    const isShared = await this.use(async (one) => {
      const server = await one.backend();
      return this.use(async (other) => {
        await other.begin();
        try {
          return (await other.backend()) === server;
        } finally {
          await other.control('rollback');
        }
      });
    }).catch((error: unknown) => {
      if (isProblem(error, 'unavailable')) return false; // the pooler has no second connection now
      throw error;
    });
    if (isShared)
      throw new DatabaseRefused(
        `PostgreSQL is behind a pooler in transaction mode. Set DATABASE_POOLER=transaction, not ${this.#settings.pooler}.`,
      );
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }

  /** No startup parameter but those that poolers take: the limits are set after connecting. */
  #config(): pg.ClientConfig {
    const isOnly = this.#servers.urls.length === 1;
    const { queryMs, connectMs, connectToOneOfManyMs } = this.#settings.times;
    return {
      connectionString: this.#url,
      types,
      application_name: 'bienvenue',
      connectionTimeoutMillis: isOnly ? connectMs : connectToOneOfManyMs,
      query_timeout: queryMs,
      keepAlive: true,
    };
  }

  /** After a fault of a connection those of the same time have it as well: the server was replaced, or migrated. */
  #discardOthersOf(client: pg.ClientBase): void {
    if (this.#known.get(client)?.generation === this.#generation) this.#generation += 1;
  }

  async #connect(): Promise<{ client: pg.PoolClient; manner: Manner }> {
    try {
      return await this.#take();
    } catch (error) {
      if (this.#servers.urls.length === 1 || isOfQueue(error) || !isOfServer(error))
        throw toConnectionError(error);
      this.#search ??= this.#findServer().finally(() => (this.#search = undefined));
      await this.#search;
    }
    return this.#take().catch((error: unknown) => {
      throw toConnectionError(error);
    });
  }

  /** Takes a connection of this generation from the pool, which opens one if it must. */
  async #take(): Promise<{ client: pg.PoolClient; manner: Manner }> {
    for (;;) {
      const client = await this.#pool.connect();
      const known = this.#known.get(client);
      if (known?.generation === this.#generation) return { client, manner: known.manner };
      if (known !== undefined) {
        client.release(true);
        continue;
      }
      const generation = this.#generation;
      try {
        const manner = await this.#prepare(client);
        this.#known.set(client, { manner, generation });
        this.#manner = manner;
        return { client, manner };
      } catch (error) {
        client.release(true);
        throw error;
      }
    }
  }

  /** Makes a new connection ready for statements. */
  async #prepare(client: pg.ClientBase): Promise<Manner> {
    const facts = await this.#readFacts(client);
    const manner = await mannerOf(client, this.#settings.pooler, facts.pid);
    if (!manner.keepsSettings) return manner;
    await client.query(settings('set', { ...this.#limits, ...plannerSettings }).join('; '));
    return manner;
  }

  /** @throws {Problem} database_read_only for a standby, whose data may be old, and a server without the wanted rights. */
  async #readFacts(client: pg.ClientBase): Promise<ServerFacts> {
    const [facts] = (await client.query<ServerFacts>(selectFacts)).rows;
    if (facts === undefined) throw new Error('PostgreSQL returned no facts about itself');
    if (facts.is_standby || (this.#servers.needsReadWrite && facts.is_read_only))
      throw new Problem('database_read_only', {
        message: `PostgreSQL: the server ${facts.is_standby ? 'is a standby' : 'is read-only'}`,
        retryAfterSeconds: 2,
      });
    return facts;
  }

  /** Finds the first server that can be used, and uses it for new connections from then on. */
  async #findServer(): Promise<void> {
    const faults: string[] = [];
    let isReadOnly = false;
    for (const url of this.#servers.urls) {
      const client = new pg.Client({ ...this.#config(), connectionString: url });
      client.on('error', () => {});
      try {
        await client.connect();
        await this.#readFacts(client);
        if (url !== this.#url) this.#generation += 1;
        this.#url = url;
        return;
      } catch (error) {
        isReadOnly ||= error instanceof Problem;
        const says =
          error instanceof Error ? error.message || String((error as NodeJS.ErrnoException).code) : '';
        faults.push(`${serverName(url)}: ${says.replace('PostgreSQL: ', '')}`);
      } finally {
        client.end().catch(() => {});
      }
    }
    throw new Problem(isReadOnly ? 'database_read_only' : 'unavailable', {
      message: `PostgreSQL: no server accepts changes (${faults.join('; ')})`,
      retryAfterSeconds: 2,
    });
  }
}

/** Returns whether every connection of the pool was in use for too long, which says nothing about the server. */
function isOfQueue(error: unknown): boolean {
  return error instanceof Error && error.message === 'timeout exceeded when trying to connect'; // pg-pool has no code
}
