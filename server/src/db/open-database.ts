import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Database } from './database.ts';
import { migrate } from './migrate.ts';
import type { MigratedModule } from './migration.ts';
import { openSqlite } from './sqlite.ts';
import { examineSqliteFile } from './sqlite-damage.ts';

const sqlitePrefix = 'sqlite:';

/** Path of the file that a `sqlite:` URL names; `undefined` for another URL. */
export function sqlitePath(url: string): string | undefined {
  return url.startsWith(sqlitePrefix) ? resolve(url.slice(sqlitePrefix.length)) : undefined;
}

/**
 * Opens the database without changing its schema: `sqlite:<path>` or `postgres://…`.
 * @throws {DatabaseRefused} when a file is not ours or cannot be trusted to hold.
 * @throws {Problem} unavailable, when PostgreSQL does not answer.
 */
export async function connectDatabase(url: string, { patient = false } = {}): Promise<Database> {
  const path = sqlitePath(url);
  if (path !== undefined) return openSqlite(path);
  const { openPostgres } = await import('./postgres.ts'); // pg costs 40 ms that a SQLite service need not pay
  return openPostgres(url, { patient });
}

/**
 * Brings a database to the schema of the modules and returns the steps that were missing, as `module: name`.
 * @throws {NewerSchema} if the database is ahead of this release.
 */
export async function migrateDatabase(url: string, modules: readonly MigratedModule[]): Promise<string[]> {
  const database = await connectDatabase(url, { patient: true });
  try {
    return await migrate(database, modules);
  } finally {
    await database.close();
  }
}

/** Files up to this size are looked through at the start of a service: half a second at most. */
const examinedBytes = 256 * 1024 * 1024;

/**
 * Opens the database after bringing it to the schema of the modules. With `isExamined` a file that is not too large is
 * checked for damage first.
 * @throws {DatabaseRefused} if it is damaged.
 */
export async function openDatabase(
  url: string,
  modules: readonly MigratedModule[],
  { isExamined = false } = {},
): Promise<Database> {
  const path = sqlitePath(url);
  if (path === undefined) {
    await migrateDatabase(url, modules);
    return connectDatabase(url);
  }
  if (isExamined && existsSync(path)) examineSqliteFile(path, examinedBytes);
  const database = await openSqlite(path); // with the same limits for both: it need not be opened twice
  try {
    await migrate(database, modules);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
}
