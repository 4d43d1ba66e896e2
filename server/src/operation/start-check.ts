// Finds what would stop a start, before anything is created or migrated: all of it, in one sentence each.
import { existsSync, lstatSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import type { CoreOptions } from '../config/options.ts';
import { connectDatabase, sqlitePath } from '../db/open-database.ts';
import type { DatabaseTimes } from '../db/database-times.ts';
import { DatabaseRefused } from '../db/database.ts';
import { checkExistingFile } from '../db/sqlite/sqlite-file.ts';
import { readKeys } from '../keys/open-keyring.ts';
import { codeOf, writeRemedy } from '../kit/file.ts';
import { KeysRefused } from '../kit/keyring.ts';
import { isProblem } from '../kit/problem.ts';
import { statOf } from './data-owner.ts';
import { CommandError } from './refusal.ts';

/** Why the service cannot listen. */
export interface AddressFault {
  /** Code of the system error. */
  readonly code: string;
  readonly says: string;
}

/** Returns why the service cannot listen; `undefined` if it can. It only tries, and stops listening immediately. */
export async function findAddressFault(host: string, port: number): Promise<AddressFault | undefined> {
  const error = await new Promise<NodeJS.ErrnoException | undefined>((settle) => {
    const server = createServer();
    server.once('error', settle);
    // Of `localhost` the service needs the IPv4 address; ::1 may be missing.
    const address = host === 'localhost' ? '127.0.0.1' : host;
    server.listen({ host: address, port }, () => server.close(() => settle(undefined)));
  });
  return error && { code: error.code ?? '', says: addressSentence(error, host, port) };
}

/** Returns the sentence for an error of listen(2) or of the name resolution before it. */
export function addressSentence(
  { code = '', message }: NodeJS.ErrnoException,
  host: string,
  port: number,
): string {
  const sentences: Readonly<Record<string, string>> = {
    EADDRINUSE: `Port ${port} is in use. Stop the other program, or set PORT to another port.`,
    EACCES: `This user may not listen on port ${port}. Set PORT to 1024 or more.`,
    EADDRNOTAVAIL: `HOST is ${host}, which is not an address of this machine.`,
    ENOTFOUND: `HOST is ${host}, which does not resolve to an address. Set HOST to an address of this machine.`,
    EAI_AGAIN: `HOST is ${host}, and the name resolution does not answer. Set HOST to an address of this machine.`,
  };
  return (
    sentences[code] ?? `HOST is ${host} and PORT is ${port}, on which the service cannot listen: ${message}`
  );
}

/** Returns whether the first start will create the file of the database. @throws {CommandError} as `statOf` does. */
export function isCreatedByStart(path: string): boolean {
  return statOf(path) === undefined;
}

/**
 * Checks address, database and keys.
 * @throws {CommandError} if the service cannot start; it lists every reason.
 */
export async function requireStartable(options: CoreOptions, times?: DatabaseTimes): Promise<void> {
  const { host, port } = options;
  const faults = [
    (await findAddressFault(host, port))?.says,
    await faultOf(() => checkDatabase(options, times)),
    await faultOf(() => requireFirstKeys(options)),
  ].filter((fault) => fault !== undefined);
  if (faults.length > 1) throw new CommandError(`The service cannot start:\n  - ${faults.join('\n  - ')}`);
  if (faults[0] !== undefined) throw new CommandError(faults[0]);
}

async function faultOf(check: () => void | Promise<void>): Promise<string | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    const isExpected =
      error instanceof DatabaseRefused ||
      error instanceof KeysRefused ||
      isProblem(error, 'unavailable') ||
      isProblem(error, 'database_read_only');
    if (isExpected) return error.message;
    throw error;
  }
}

async function checkDatabase(options: CoreOptions, times?: DatabaseTimes): Promise<void> {
  const path = sqlitePath(options.databaseUrl);
  if (path === undefined) await (await connectDatabase(options.databaseUrl, { ...options, times })).close();
  else if (existsSync(path)) checkExistingFile(path);
  else requireNewDatabase(path);
}

/** @throws {DatabaseRefused} if this user cannot create the file, or a missing folder above it. */
export function requireNewDatabase(path: string): void {
  const fault = creationFault(path, 'DATABASE_URL');
  if (fault !== undefined) throw new DatabaseRefused(fault);
}

/** @throws {KeysRefused} if the keys cannot be read, or if there are none and the file cannot be created. */
export function requireFirstKeys(options: CoreOptions): void {
  if (readKeys(options) !== undefined) return;
  const path = resolve(options.secretKeyFile);
  const database = sqlitePath(options.databaseUrl);
  // One sentence about a folder is enough.
  if (database !== undefined && dirname(database) === dirname(path) && !existsSync(database)) return;
  const fault = creationFault(path, 'SECRET_KEY_FILE');
  if (fault !== undefined) throw new KeysRefused(fault);
}

/** Returns why a file cannot be created; `undefined` if it can. It only tries, in the lowest folder that exists. */
function creationFault(path: string, option: string): string | undefined {
  let folder = dirname(path);
  while (!isVisible(folder) && dirname(folder) !== folder) folder = dirname(folder);
  const beginning = `${path} cannot be created: ${folder}`;
  try {
    if (!statSync(folder).isDirectory())
      return `${beginning} is not a folder. Correct DATA_DIR or ${option}.`;
    rmdirSync(mkdtempSync(join(folder, '.bienvenue-')));
    return undefined;
  } catch (error) {
    if (['EACCES', 'EPERM'].includes(codeOf(error)))
      return `${beginning} is not writable for this user. Set DATA_DIR to a folder of this user, or change the owner of ${folder}.`;
    return `${beginning} accepts no new files (${codeOf(error)}). ${writeRemedy(error, `Correct DATA_DIR or ${option}.`)}`;
  }
}

/** Returns whether this user sees a file, a folder, or a link, also one that leads nowhere. */
function isVisible(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
