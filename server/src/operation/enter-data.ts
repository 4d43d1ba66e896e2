// Prepares a command to work on the data of the service.
import { resolve } from 'node:path';
import { sqlitePath } from '../db/open-database.ts';
import type { CoreOptions } from '../config/options.ts';
import { becomeOwner, statOf } from './data-owner.ts';
import { announce, shownDatabase } from './data-place.ts';
import { CommandError } from './refusal.ts';

/**
 * Says which database the command uses, becomes its owner and checks that it exists.
 * @throws {CommandError} if there is no database, or if it belongs to another user.
 */
export function enterData(options: CoreOptions): void {
  announce('Database', shownDatabase(options.databaseUrl));
  becomeOwner(options);
  const path = sqlitePath(options.databaseUrl);
  if (path !== undefined && statOf(path) === undefined)
    throw new CommandError(
      `There is no database ${path} (DATA_DIR is ${resolve(options.dataDir)}). Set DATA_DIR to the folder of the service; "bienvenue serve" creates the database at its first start.`,
    );
}
