// The library: the contract's verbs without HTTP, and the service as a Fastify plugin.
import type { Environment } from './config/read-options.ts';
import { readOptions } from './app/options.ts';
import { migratedModules } from './app/migrations.ts';
import { openDatabase } from './db/open-database.ts';
import { buildService, startJobs, type Service } from './app/core.ts';
import { createLog } from './http/log.ts';
import { DB } from './library/db.ts';

export { Auth, type AuthOptions } from './library/auth.ts';
export { type ClientSource } from './identity/context.ts';
export { type Login } from './identity/sign-in/sign-in.ts';
export type { Session } from './identity/session/session-entry.ts';
export { type PasswordRule, type PasswordContext } from './user/password-rule.ts';
export { DB, type UserFields, type UserFilters } from './library/db.ts';
export { type AddressRule, type EmailAddress } from './user/email-address.ts';
export { InvalidRequest, NoResultFound, ValueError, type User } from './user/user.ts';
export { isKnownHash } from './hash/format.ts';
export { hashPassword, Hasher, type HasherOptions } from './hash/hasher.ts';
export { generateUuid } from './kit/id.ts';
export { Problem, type ProblemCode } from './kit/problem.ts';
export { bienvenue, type BienvenueOptions } from './app/server.ts';
export { type Service } from './app/core.ts';
export { ConfigurationFault } from './config/read-options.ts';
export { DatabaseRefused } from './db/sqlite-file.ts';
export { NewerSchema } from './db/migrate.ts';
export { KeysRefused } from './kit/keyring.ts';

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
  const service = await buildService(configuration, await openDatabase(databaseUrl, migratedModules), log);
  startJobs(service);
  return service;
}
