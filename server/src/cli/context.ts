// Shared by the commands of the core: their input, and how they name a user.
import type { TestOverrides } from '../app/service.ts';
import type { CoreOptions } from '../config/options.ts';
import type { Environment } from '../config/read-options.ts';
import type { Database } from '../db/database.ts';
import type { Configuration, IdentityCore } from '../module.ts';
import { findUserByExternalId, findUserBySubject } from '../user/details-store.ts';
import { requireUser } from '../operation/command.ts';
import type { User } from '../user/user.ts';
import { CommandError, UsageError } from '../operation/refusal.ts';

/** Input of the program. */
export interface ProgramInput {
  readonly environment: Environment;
  readonly overrides?: TestOverrides;
}

/** Input of every command. */
export interface CommandContext extends ProgramInput {
  /**
   * Reads the options, says which database the command uses, and becomes its owner.
   * @throws {CommandError} if there is no database.
   */
  readonly enter: () => Promise<CoreOptions>;
  /**
   * Also opens the database. The command closes it.
   * @throws {CommandError | DatabaseRefused | KeysRefused} if no service has used the database or the keys yet.
   */
  readonly openData: () => Promise<{ readonly options: CoreOptions; readonly database: Database }>;
  /** Runs `work` with the core of a service built from the options, and closes the service afterwards. */
  readonly withCore: <T>(
    work: (core: IdentityCore, options: Configuration['options']) => Promise<T>,
  ) => Promise<T>;
}

/** How a command names a user. */
export interface UserName {
  readonly email?: string | undefined;
  readonly externalId?: string;
  readonly subject?: string;
}

/**
 * Finds the user of `user show`.
 * @throws {UsageError} unless exactly one of the three is given.
 * @throws {CommandError} if no user has it.
 */
export async function requireOne(
  database: Database,
  { email, externalId, subject }: UserName,
): Promise<User> {
  if ([email, externalId, subject].filter((each) => each !== undefined).length !== 1)
    throw new UsageError('Give an email address, --external-id or --subject');
  if (email !== undefined) return requireUser(database, email);
  const user =
    externalId === undefined
      ? await findUserBySubject(database, subject ?? '')
      : await findUserByExternalId(database, externalId);
  if (user === undefined)
    throw new CommandError(
      externalId === undefined
        ? `No user has the subject ${subject}`
        : `No user has the external id ${externalId}`,
    );
  return user;
}
