// Whether a SQLite file is still what SQLite wrote. Without this look a damaged page is met by the first request that
// needs it, and what was written meanwhile is lost with the backup that comes in its place.
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { checkSqliteFile, DatabaseRefused } from './sqlite-file.ts';

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
const damages = new Set([11, 26]);
const primaryCodeMask = 0xff;

/** True for an error of node:sqlite that says that the file is not what SQLite wrote. */
export function isDamage(error: unknown): boolean {
  const { errcode } = (error ?? {}) as { errcode?: number }; // node:sqlite's error
  return errcode !== undefined && damages.has(errcode & primaryCodeMask);
}

/** The refusal of a damaged file. */
export function damagedFile(path: string, cause: unknown): DatabaseRefused {
  return new DatabaseRefused(`${path} is damaged. The file was not changed; restore a backup.`, { cause });
}

/** How long the look waits for another process: that is busy, and not damaged. */
const busyTimeoutMs = 1000;

/**
 * Looks at every page of a file of ours, some 2 ms for each megabyte. A file beyond the given size is left alone.
 * @throws {DatabaseRefused} when it is no file of ours, or a page is not as SQLite writes it.
 */
export function examineSqliteFile(path: string, maxBytes: number = Infinity): void {
  checkSqliteFile(path);
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? Infinity) > maxBytes) return;
  try {
    using database = new DatabaseSync(path, { readOnly: true, timeout: busyTimeoutMs });
    const finding = database.prepare('pragma quick_check(1)').get()?.['quick_check'];
    if (finding !== 'ok') throw damagedFile(path, new Error(String(finding)));
  } catch (error) {
    throw isDamage(error) ? damagedFile(path, error) : error;
  }
}
