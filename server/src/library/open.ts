// Opens the database of accounts, or the whole service, in the process of a program.
import type { Environment } from '../config/read-options.ts';
import { openDatabase } from '../db/open-database.ts';
import { createLog } from '../http/log.ts';
import { buildService } from '../app/core.ts';
import { startJobs } from '../app/service.ts';
import { migratedModules } from '../app/migrations.ts';
import { readOptions } from '../app/options.ts';
import type { Service } from '../app/service.ts';
import { DB } from './db.ts';

/** Default database of the library: the file that the service uses. */
const defaultUrl = 'sqlite:./data/bienvenue.db';

/**
 * Opens the database of accounts and migrates it to the schema of this release.
 * @param url `sqlite:<path>` or `postgres://…`.
 * @throws {DatabaseRefused} if the file is not a database of Bienvenue.
 * @throws {NewerSchema} if a newer release wrote it.
 * @throws {Problem} unavailable if PostgreSQL does not answer.
 */
export async function openDb(url: string = defaultUrl): Promise<DB> {
  return new DB(await openDatabase(url, migratedModules));
}

/**
 * Opens the whole service, for `app.register(bienvenue, { service })` in your own Fastify application.
 * @param environment options by name (docs/reference/configuration.md). `process.env` is not read unless you pass it.
 * @throws {ConfigurationFault} if options are invalid; it lists every fault.
 * @throws {KeysRefused} if the database was used with other keys.
 */
export async function openService(environment: Environment = {}): Promise<Service> {
  const configuration = readOptions(environment);
  const { databaseUrl, logLevel } = configuration.options;
  const log = await createLog({ level: logLevel, pretty: false });
  for (const warning of configuration.warnings) log.warn({}, warning);
  const service = await buildService(
    configuration,
    await openDatabase(databaseUrl, migratedModules, configuration.options),
    log,
  );
  startJobs(service);
  return service;
}
