// Opens the data of a service for a command. Commands never create a database or a key: in a wrong folder they would
// show an empty service.
import { resolve } from 'node:path';
import type { CoreOptions } from '../config/options.ts';
import type { Environment } from '../config/read-options.ts';
import { hasMigrations } from '../db/migrate.ts';
import { connectDatabase, openDatabase, sqlitePath } from '../db/open-database.ts';
import { DatabaseRefused, type Database } from '../db/database.ts';
import { patientHashing } from '../hash/options.ts';
import { checkKeys } from '../keys/open-keyring.ts';
import { KeysRefused } from '../kit/keyring.ts';
import { silentLog } from '../kit/log.ts';
import type { Configuration, IdentityCore, Module } from '../module.ts';
import { enterData } from '../operation/enter-data.ts';
import { buildService, hasherFor } from './core.ts';
import { migratedModules } from './migrations.ts';
import { modules } from './modules.ts';
import { readOptions } from './options.ts';

/** The data that a command has opened. */
export interface OpenData {
  readonly configuration: Configuration;
  readonly database: Database;
}

/**
 * Reads the options, says which database the command uses, becomes its owner and checks that it exists.
 * @throws {CommandError} if there is no database, or if it belongs to another user.
 */
export function enter(environment: Environment): Configuration {
  const configuration = readOptions(environment);
  enterData(configuration.options);
  return configuration;
}

/**
 * Opens and migrates the database of a service that was started before.
 * @throws {DatabaseRefused} if no service has used the database yet.
 * @throws {KeysRefused} if there are no keys yet, or others than those of the database.
 */
export async function openData(environment: Environment): Promise<OpenData> {
  const configuration = enter(environment);
  const { options } = configuration;
  if (sqlitePath(options.databaseUrl) === undefined) await requireTables(options);
  const database = await openDatabase(options.databaseUrl, migratedModules, options);
  try {
    if ((await checkKeys(options, database)) === undefined)
      throw new KeysRefused(
        `There is no key file ${resolve(options.secretKeyFile)}. "bienvenue serve" creates it at its first start.`,
      );
    return { configuration, database };
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function requireTables(options: CoreOptions): Promise<void> {
  const database = await connectDatabase(options.databaseUrl, options);
  try {
    if (await hasMigrations(database)) return;
  } finally {
    await database.close();
  }
  throw new DatabaseRefused(
    'The PostgreSQL database has no tables of this service. "bienvenue serve" creates them at its first start.',
  );
}

/** Runs `work` with the core of a service on the data, and closes it afterwards. */
export async function withCore<T>(
  environment: Environment,
  work: (core: IdentityCore, options: Configuration['options']) => Promise<T>,
): Promise<T> {
  const { configuration, database } = await openData(environment);
  const hasher = hasherFor(configuration, patientHashing);
  const service = await buildService(configuration, database, silentLog, { hasher });
  try {
    return await work(service.core, configuration.options);
  } finally {
    await service.close();
  }
}

/** The commands of `bienvenue` that features contribute. */
export const featureCommands: readonly Module['commands'][number][] = modules.flatMap(
  ({ commands }) => commands,
);
