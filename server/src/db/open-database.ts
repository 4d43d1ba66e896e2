import { resolve } from 'node:path';
import type { Database } from './database.ts';
import { migrate } from './migrate.ts';
import { openSqlite } from './sqlite.ts';

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
 * Brings a database to this release's schema and returns the names of the steps that were missing.
 * @throws {NewerSchema} when the database is ahead of this release.
 */
export async function migrateDatabase(url: string): Promise<string[]> {
  const database = await connectDatabase(url, { patient: true });
  return migrate(database).finally(() => database.close());
}

/** Opens the database and brings it to this release's schema first. */
export async function openDatabase(url: string): Promise<Database> {
  await migrateDatabase(url);
  return connectDatabase(url);
}
