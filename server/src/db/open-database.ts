// Opens and migrates the database that a URL names.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { postgresTls } from '../kit/postgres/postgres-tls.ts';
import { defaultConnections, type Pooler } from '../kit/postgres/postgres-url.ts';
import type { Database } from './database.ts';
import { migrationTimes, serviceTimes, type DatabaseTimes } from './database-times.ts';
import { migrate, schemaDifferences } from './migrate.ts';
import type { MigratedModule } from './migration.ts';
import {
  findConnectionLimit,
  rejectedConnection,
  requireOwnTables,
  requireUsablePostgres,
} from './postgres/postgres-check.ts';
import { openSqlite } from './sqlite/sqlite.ts';
import { examineSqliteFile } from './sqlite/sqlite-file.ts';

const sqlitePrefix = 'sqlite:';

/** Returns the path of the file that a `sqlite:` URL names; `undefined` for any other URL. */
export function sqlitePath(url: string): string | undefined {
  return url.startsWith(sqlitePrefix) ? resolve(url.slice(sqlitePrefix.length)) : undefined;
}

/** How the database is connected to. */
export interface ConnectionOptions {
  /** The option of this name. SQLite ignores it, and the next one. */
  readonly databasePooler?: Pooler;
  readonly databaseConnections?: number;
  /** Default: `serviceTimes`. */
  readonly times?: DatabaseTimes | undefined;
}

/**
 * Opens the database without changing its schema: `sqlite:<path>` or `postgres://…`.
 * @throws {DatabaseRefused} if the file is not a database of this service, or is on a network file system; if PostgreSQL
 *   rejects the connection, or its database cannot store what users type.
 * @throws {Problem} unavailable if PostgreSQL does not respond; database_read_only if it is a standby.
 */
export async function connectDatabase(
  url: string,
  {
    databasePooler: pooler = 'auto',
    databaseConnections: connections = defaultConnections,
    times = serviceTimes,
  }: ConnectionOptions = {},
): Promise<Database> {
  const path = sqlitePath(url);
  if (path !== undefined) return openSqlite(path, times);
  const { openPostgres } = await import('./postgres/postgres.ts'); // pg takes 40 ms to load, which SQLite does not need
  const settings = { pooler, connections, times };
  const database = await openPostgres(postgresTls(url).url, settings).catch((error: unknown) => {
    throw rejectedConnection(error);
  });
  try {
    await requireUsablePostgres(database);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/**
 * Opens the database without changing its schema, for the modules whose tables it has or will have.
 * @throws {DatabaseRefused} as `connectDatabase`, and if tables in PostgreSQL belong to another program or role.
 */
export async function connectOwnDatabase(
  url: string,
  modules: readonly MigratedModule[],
  connection: ConnectionOptions = {},
): Promise<Database> {
  const database = await connectDatabase(url, connection);
  try {
    if (database.engine.name === 'postgres') await requireOwnTables(database, modules);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/**
 * Returns what limits a database to fewer connections than a service opens; `undefined` if nothing does, and behind a
 * pooler, which has connections of its own.
 */
export async function connectionLimitOf(
  database: Database,
  connections: number,
): Promise<string | undefined> {
  const isDirect = database.connectedBy?.endsWith('connected directly') === true;
  return isDirect ? findConnectionLimit(database, connections) : undefined;
}

/**
 * Migrates a database to the schema of the modules and returns the steps that were missing, as `module: name`.
 * @throws {DatabaseRefused} if tables in PostgreSQL belong to another program or role; nothing is changed.
 * @throws {NewerSchema} if a newer release migrated the database.
 */
export async function migrateDatabase(
  url: string,
  modules: readonly MigratedModule[],
  connection: ConnectionOptions = {},
): Promise<string[]> {
  const database = await connectOwnDatabase(url, modules, {
    ...connection,
    times: migrationTimes(connection.times),
  });
  try {
    return await migrate(database, modules);
  } finally {
    await database.close();
  }
}

/** Maximum size of a file that is checked for damage at start-up, which takes at most half a second. */
const examinedBytes = 256 * 1024 * 1024;

/**
 * Migrates the database to the schema of the modules and opens it. With `isExamined` a SQLite file of at most 256 MiB is
 * checked for damage first.
 * @throws {DatabaseRefused} if the file is damaged.
 */
export async function openDatabase(
  url: string,
  modules: readonly MigratedModule[],
  { isExamined = false, ...connection }: ConnectionOptions & { readonly isExamined?: boolean } = {},
): Promise<Database> {
  const path = sqlitePath(url);
  if (path === undefined) return openMigratedPostgres(url, modules, connection);
  if (isExamined && existsSync(path)) examineSqliteFile(path, examinedBytes);
  const database = await openSqlite(path, connection.times); // with the same limits for both uses, so one connection is enough
  try {
    await migrate(database, modules);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** Opens a database in PostgreSQL; one that lacks steps is migrated first, through connections without time limits. */
async function openMigratedPostgres(
  url: string,
  modules: readonly MigratedModule[],
  connection: ConnectionOptions,
): Promise<Database> {
  const database = await connectOwnDatabase(url, modules, connection);
  try {
    if ((await schemaDifferences(database, modules)).length > 0)
      await migrateDatabase(url, modules, connection);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}
