// Opens the database of accounts, or the whole service, in the process of a program.
import { OptionFault } from '../config/parse.ts';
import { ConfigurationFault } from '../config/read-options.ts';
import { databaseUrl } from '../config/server-url.ts';
import { openDatabase } from '../db/open-database.ts';
import { createLog } from '../http/log.ts';
import { buildService } from '../app/core.ts';
import { prepareStart, startJobs, type Overrides, type Service } from '../app/service.ts';
import { migratedModules } from '../app/migrations.ts';
import { readOptions } from '../app/options.ts';
import { DB } from './db.ts';
import { givenOptions } from './given-options.ts';
import type { ServiceOptions } from './service-options.generated.ts';

/** Default database of the library: the file that the service uses. */
const defaultUrl = 'sqlite:./data/bienvenue.db';

/**
 * Opens the database of accounts and migrates it to the schema of this release.
 * @param url `sqlite:<path of a file>` or `postgres://user:password@host/database`.
 * @throws {ConfigurationFault} if the URL has another form.
 * @throws {DatabaseRefused} if the file is not a database of Bienvenue.
 * @throws {NewerSchema} if a newer release wrote it.
 * @throws {Problem} unavailable if PostgreSQL does not answer.
 */
export async function openDb(url: string | URL = defaultUrl): Promise<DB> {
  return new DB(await openDatabase(requireUrl(url), migratedModules));
}

/** @throws {ConfigurationFault} that does not repeat the value, which may contain a password. */
function requireUrl(url: string | URL): string {
  try {
    return databaseUrl(String(url));
  } catch (error) {
    if (!(error instanceof OptionFault)) throw error;
    const hint = /^[\w./\\-]+$/.test(String(url)) ? `. Did you mean sqlite:${String(url)}?` : '';
    throw new ConfigurationFault([`The URL of the database ${error.message}${hint}`]);
  }
}

/**
 * Opens the whole service, for `app.register(bienvenue, { service })` in your own Fastify application.
 * @param options by name (docs/reference/configuration.md). `process.env` is not read unless you pass it.
 * @throws {ConfigurationFault} if options are unknown or invalid; it lists every fault.
 * @throws {DatabaseRefused} if the file is not a database of Bienvenue.
 * @throws {NewerSchema} if a newer release wrote it.
 * @throws {KeysRefused} if the database was used with other keys.
 * @throws {CommandError} if a feature does not let the service start.
 * @throws {Problem} unavailable if PostgreSQL does not answer.
 */
export async function openService(options: ServiceOptions = {}): Promise<Service> {
  return openServiceWith(options);
}

/** As `openService`, with what tests replace. @internal */
export async function openServiceWith(options: ServiceOptions, overrides: Overrides = {}): Promise<Service> {
  if (typeof options !== 'object' || options === null)
    throw new TypeError("openService needs an object with options by name: openService({ PORT: '5000' })");
  const configuration = readOptions(givenOptions(options));
  const { databaseUrl: url, logLevel } = configuration.options;
  const log = await createLog({ level: logLevel, pretty: false });
  for (const warning of configuration.warnings) log.warn({}, warning);
  const service = await buildService(
    configuration,
    await openDatabase(url, migratedModules, { ...configuration.options, times: overrides.databaseTimes }),
    log,
    overrides,
  );
  await prepareStart(service);
  startJobs(service);
  return service;
}
