// Says which data a command or a service works on.
import { postgresTls } from '../kit/postgres/postgres-tls.ts';
import { printable } from '../kit/text/printable.ts';
import { coreOptions } from '../config/options.ts';
import { showOption } from '../config/read-options.ts';
import { sqlitePath } from '../db/open-database.ts';

/** Returns the database for a sentence, without its password. */
export function shownDatabase(url: string): string {
  return sqlitePath(url) ?? showOption(coreOptions.databaseUrl, url);
}

/** Returns what the log says about the database: where it is, and how the connection to a server is protected. */
export function databaseFacts(
  url: string,
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const database = shownDatabase(url);
  if (sqlitePath(url) !== undefined) return { database };
  return { database, transport: postgresTls(url, environment).says };
}

/** Says on standard error which data a command works on; standard output is for programs. */
export function announce(what: 'Database' | 'Keys', where: string): void {
  console.error(printable(`${what}: ${where}`));
}
