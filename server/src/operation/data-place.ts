// Says which data a command or a service works on.
import { printable } from '../kit/printable.ts';
import { coreOptions } from '../config/options.ts';
import { showOption } from '../config/read-options.ts';
import { sqlitePath } from '../db/open-database.ts';

/** Returns the database for a sentence, without its password. */
export function shownDatabase(url: string): string {
  return sqlitePath(url) ?? showOption(coreOptions.databaseUrl, url);
}

/** Says on standard error which data a command works on; standard output is for programs. */
export function announce(what: 'Database' | 'Keys', where: string): void {
  console.error(printable(`${what}: ${where}`));
}
