// Declares the input of the commands of the core.
import type { Overrides } from '../app/service.ts';
import type { CoreOptions } from '../config/options.ts';
import type { Environment } from '../config/read-options.ts';
import type { Database } from '../db/database.ts';
import type { Configuration, IdentityCore } from '../module.ts';

/** Input of the program. */
export interface ProgramInput {
  readonly environment: Environment;
  readonly overrides?: Overrides;
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
