// One connection to PostgreSQL: how statements are sent on it, which depends on what is between the service and the server.
import type pg from 'pg';
import type { Pooler } from '../../kit/postgres/postgres-url.ts';
import { leavesConnection, toError } from './postgres-error.ts';
import type { Compiled } from '../statement.ts';

/**
 * A prepared statement is planned once for each connection: planning it for the values of each call takes longer than
 * running it. Such a plan expects ten keys where mostly one is looked up, so a small table would be read as a whole if a
 * page read through an index were not as cheap as it is in memory.
 */
export const plannerSettings = { plan_cache_mode: 'force_generic_plan', random_page_cost: 1.1 };

type Row = Record<string, unknown>;

/** How statements are sent on a connection. */
export interface Manner {
  /** Words for `bienvenue doctor`. */
  readonly says: string;
  /**
   * The settings of a session reach the next client of a pooler in transaction mode, so there each transaction sets its
   * own limits, and the client's limit is the only one of a single statement.
   */
  readonly keepsSettings: boolean;
  readonly keepsStatements: boolean;
  /** True if a pooler is in between, which was declared to lend each connection for a session. */
  readonly isAssumed?: boolean;
}

/** A connection that was taken from the pool. */
export class Connection {
  /** The first fault after which this connection is not used again. */
  fault: unknown;
  /** The first error of a statement, as its caller got it. */
  firstError: unknown;
  readonly #client: pg.PoolClient;
  readonly #manner: Manner;
  readonly #limits: Readonly<Record<string, number>>;

  constructor(client: pg.PoolClient, manner: Manner, limits: Readonly<Record<string, number>>) {
    this.#client = client;
    this.#manner = manner;
    this.#limits = limits;
  }

  /** Runs one statement and returns its rows. */
  async send<R>({ name, text, bind }: Compiled, parameters: object): Promise<R[]> {
    const values = bind(parameters);
    const query = name === '' || !this.#manner.keepsStatements ? { text, values } : { name, text, values };
    return (await this.#query(query)).rows as R[]; // the row type was inferred from the statement that wrote the SQL
  }

  /** Runs a text and returns the command that the server executed, such as `COMMIT`. */
  async control(text: string): Promise<string> {
    return (await this.#query({ text })).command;
  }

  /** Returns which process of which server serves the connection now. */
  async backend(): Promise<string> {
    const text = `select pg_backend_pid() || ' ' || pg_postmaster_start_time() as backend`;
    return String((await this.#query({ text })).rows[0]?.['backend']);
  }

  /** Begins a transaction, with its limits where the session has none. */
  async begin(): Promise<void> {
    const limits = this.#manner.keepsSettings ? [] : settings('set local', this.#limits);
    await this.#query({ text: ['begin', ...limits].join('; ') });
  }

  async #query(query: pg.QueryConfig): Promise<pg.QueryResult<Row>> {
    try {
      return await this.#client.query<Row>(query);
    } catch (error) {
      if (!leavesConnection(error)) this.fault ??= error;
      const said = toError(error);
      this.firstError ??= said;
      throw said;
    }
  }
}

/** Returns a statement for each setting: `command` is `set` or `set local`. */
export function settings(command: string, values: Readonly<Record<string, number | string>>): string[] {
  return Object.entries(values).map(([name, value]) => `${command} ${name} = ${value}`);
}

/**
 * Finds out how statements are sent on a new connection.
 * @param pid the process of the server that serves it.
 */
export async function mannerOf(client: pg.ClientBase, pooler: Pooler, pid: number): Promise<Manner> {
  // PostgreSQL reports its process to its client; a pooler is that client, and reports a number of its own to us.
  const { processID } = client as { processID?: number | null }; // public, and missing in the types
  const isPooled = processID !== pid;
  const isDirect = pooler === 'none' || (pooler === 'auto' && !isPooled);
  if (isDirect || pooler === 'session') {
    const says = isDirect ? 'connected directly' : 'through a pooler in session mode';
    return { says, keepsSettings: true, keepsStatements: true, isAssumed: isPooled };
  }
  const keepsStatements = await renamesStatements(client);
  const says = `through a pooler, as in transaction mode, ${keepsStatements ? 'which keeps prepared statements' : 'without prepared statements'}`;
  return { says, keepsSettings: false, keepsStatements };
}

/**
 * Returns whether a pooler keeps prepared statements of its clients, as PgBouncer does from 1.21 on with
 * `max_prepared_statements`: it then gives them names of its own.
 */
async function renamesStatements(client: pg.ClientBase): Promise<boolean> {
  const name = `bienvenue_probe_${crypto.randomUUID()}`;
  const text = 'select count(*)::int as count from pg_prepared_statements where name = $1';
  await client.query('begin'); // all on one connection of the server
  const [row] = (await client.query<{ count: number }>({ name, text, values: [name] })).rows;
  const isRenamed = row?.count === 0;
  if (!isRenamed) await client.query(`deallocate "${name}"`);
  await client.query('commit');
  return isRenamed;
}
