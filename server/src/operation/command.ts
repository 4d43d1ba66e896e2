// Shared by all commands: the contribution of a feature, common arguments, and the output as a table or JSON.
import { InvalidArgumentError, type Command } from 'commander';
import { printable } from '../kit/text/printable.ts';
import type { AuditSource } from '../audit/event.ts';
import type { Database } from '../db/database.ts';
import { requireEmailAddress } from '../user/email-address.ts';
import { findUserByEmail } from '../user/store.ts';
import type { User } from '../user/user.ts';
import { CommandError } from './refusal.ts';

/** Input of a command of a feature. `Parts` are the parts of the core and the options that commands may use. */
export interface FeatureCommandContext<Parts> {
  /**
   * Runs `work` on the data of a service that was started before, and says which database that is.
   * @throws {CommandError | DatabaseRefused | KeysRefused} if no service has used the database or the keys yet.
   */
  readonly withData: <T>(work: (parts: Parts) => Promise<T>) => Promise<T>;
}

/** A command of `bienvenue` with its subcommands, which a feature contributes. */
export interface FeatureCommand<Parts> {
  /** Its name at the command line. */
  readonly name: string;
  /** Loads it when it runs, or for help. */
  readonly load: () => Promise<(context: FeatureCommandContext<Parts>) => Command>;
}

/** The actor in audit events: commands run with the rights of the operator. */
export const operator: AuditSource = { actor: 'operator' };

/**
 * Returns the user of an address.
 * @throws {CommandError} if no user has it.
 * @throws {Problem} invalid_request if it is malformed.
 */
export async function requireUser(database: Database, email: string): Promise<User> {
  const user = await findUserByEmail(database, requireEmailAddress(email));
  if (user === undefined) throw new CommandError(`No user has the email address ${email}`);
  return user;
}

/**
 * Reads an option of a command as a whole number, 0 or more.
 * @throws {InvalidArgumentError} otherwise.
 */
export function count(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number))
    throw new InvalidArgumentError('It must be a whole number, 0 or more.');
  return number;
}

/** Prints a value as JSON or as text. Control characters, which strangers may have written, are escaped. */
export function print(json: boolean, value: unknown, words: string): void {
  console.log(printable(json ? JSON.stringify(value, null, 2) : words));
}

/** Formats a table whose columns are as wide as their widest cell. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, i) =>
    Math.max(heading.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(headings), ...rows.map(line)].join('\n');
}

/** Formats an instant: ISO 8601 to the minute, UTC. */
export function showInstant(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
