// Checks the database for `bienvenue doctor`: encoding, TLS, schema, keys and clock.
import type { MigratedModule } from '../db/migration.ts';
import type { CoreOptions } from '../config/options.ts';
import type { Environment } from '../config/read-options.ts';
import { DatabaseRefused, type Database } from '../db/database.ts';
import { isReadOnly, schemaDifferences, type SchemaDifference } from '../db/migrate.ts';
import { connectionLimitOf, connectOwnDatabase, sqlitePath } from '../db/open-database.ts';
import { readOnlyRemedy } from '../db/problem.ts';
import { examineSqliteFile } from '../db/sqlite/sqlite-file.ts';
import { checkKeys } from '../keys/open-keyring.ts';
import { openSigningKey } from '../keys/signing-key.ts';
import { listStoredKeys } from '../keys/signing-key-store.ts';
import { minuteMs } from '../kit/clock.ts';
import { KeysRefused, type Keyring } from '../kit/keyring.ts';
import { postgresTls } from '../kit/postgres/postgres-tls.ts';
import type { Finding } from './finding.ts';
import { isCreatedByStart, requireFirstKeys, requireNewDatabase } from './start-check.ts';

/** Checks the database without changing it. @throws {CommandError} if this user cannot reach its file. */
export async function checkDatabase(
  options: CoreOptions,
  environment: Environment,
  modules: readonly MigratedModule[],
): Promise<Finding[]> {
  const path = sqlitePath(options.databaseUrl);
  if (path !== undefined && isCreatedByStart(path)) return checkFirstStart(path, options);
  try {
    if (path !== undefined) examineSqliteFile(path);
    const database = await connectOwnDatabase(options.databaseUrl, modules, options);
    try {
      const differences = await schemaDifferences(database, modules);
      const clock = await checkClock(database);
      const keys = differences.length === 0 ? await checkKeyring(options, database) : checkFirstKeys(options);
      return [
        await checkServer(database),
        ...(path === undefined ? [checkTransport(options.databaseUrl, environment)] : []),
        ...(await checkConnectionLimit(database, options)),
        toFinding(differences),
        ...keys,
        clock,
      ];
    } finally {
      await database.close();
    }
  } catch (error) {
    return [
      { about: 'database', verdict: 'fault', says: error instanceof Error ? error.message : String(error) },
    ];
  }
}

/** Checks that the first start can create the database and the keys. */
function checkFirstStart(path: string, options: CoreOptions): Finding[] {
  try {
    requireNewDatabase(path);
  } catch (error) {
    if (!(error instanceof DatabaseRefused)) throw error;
    return [{ about: 'database', verdict: 'fault', says: error.message }, ...checkFirstKeys(options)];
  }
  return [
    { about: 'database', verdict: 'ok', says: `${path} does not exist yet; the first start creates it` },
    ...checkFirstKeys(options),
  ];
}

/** Reports keys that no start can use, whatever the database contains. */
function checkFirstKeys(options: CoreOptions): Finding[] {
  try {
    requireFirstKeys(options);
    return [];
  } catch (error) {
    return [toKeyFault(error)];
  }
}

function toKeyFault(error: unknown): Finding {
  if (!(error instanceof KeysRefused)) throw error;
  return { about: 'keys', verdict: 'fault', says: error.message };
}

async function checkServer(database: Database): Promise<Finding> {
  const { engine, connectedBy } = database;
  const says = `${engine.name} answers${connectedBy === undefined ? '' : ` (${connectedBy})`}`;
  if (await isReadOnly(database))
    return {
      about: 'database',
      verdict: 'fault',
      says: `${says}, but accepts no changes: it is read-only. ${readOnlyRemedy}`,
    };
  return { about: 'database', verdict: 'ok', says };
}

/** Reports the encoding, which opening the database has checked, and TLS. */
function checkTransport(url: string, environment: Environment): Finding {
  const { says } = postgresTls(url, environment);
  return { about: 'database', verdict: 'ok', says: `encoding UTF8; ${says}` };
}

async function checkConnectionLimit(
  database: Database,
  { databaseConnections }: CoreOptions,
): Promise<Finding[]> {
  const says = await connectionLimitOf(database, databaseConnections);
  return says === undefined ? [] : [{ about: 'database', verdict: 'unsafe', says }];
}

function toFinding(differences: readonly SchemaDifference[]): Finding {
  const about = 'schema';
  const newer = differences.filter(({ found, known }) => found > known);
  if (newer.length > 0) {
    const names = newer.map(
      ({ module, found, known }) => `${module} has version ${found}, known is ${known}`,
    );
    return {
      about,
      verdict: 'fault',
      says: `a newer release wrote it (${names.join('; ')}): start the newer release`,
    };
  }
  const missing = differences.reduce((sum, { found, known }) => sum + known - found, 0);
  const says = missing === 0 ? 'up to date' : `steps missing: ${missing}; the next start runs them`;
  return { about, verdict: 'ok', says };
}

async function checkKeyring(options: CoreOptions, database: Database): Promise<Finding[]> {
  const about = 'keys';
  try {
    const ring = await checkKeys(options, database);
    if (ring === undefined) requireFirstKeys(options);
    if (ring === undefined) return [{ about, verdict: 'ok', says: 'none yet; the first start creates one' }];
    return [
      { about, verdict: 'ok', says: `match the database; the current key is ${ring.ids[0]}` },
      ...(await checkSigningKeys(database, ring)),
    ];
  } catch (error) {
    return [toKeyFault(error)];
  }
}

/** Decrypts the keys that sign tokens. A service that never signed has none, which is not reported. */
async function checkSigningKeys(database: Database, keyring: Keyring): Promise<Finding[]> {
  const about = 'signing keys';
  const stored = await listStoredKeys(database);
  const faults = stored.flatMap((key): Finding[] => {
    try {
      openSigningKey(keyring, key);
      return [];
    } catch (error) {
      if (!(error instanceof KeysRefused)) throw error;
      return [{ about, verdict: 'fault', says: error.message }];
    }
  });
  if (stored.length === 0 || faults.length > 0) return faults;
  return [{ about, verdict: 'ok', says: `all ${stored.length} can be decrypted` }];
}

/** Maximum difference between the database's clock and ours before expiry times look wrong to users. */
const clockToleranceMs = minuteMs;
/** The date of this check: an earlier clock is wrong, for example because its battery is empty. */
const earliestNow = Date.UTC(2026, 0, 1);

async function checkClock(database: Database): Promise<Finding> {
  const theirs = await database.now();
  const ours = Date.now();
  if (ours < earliestNow)
    return {
      about: 'clock',
      verdict: 'fault',
      says: `the clock shows ${new Date(ours).toISOString()}; set it`,
    };
  if (Math.abs(theirs - ours) > clockToleranceMs) {
    return {
      about: 'clock',
      verdict: 'fault',
      says: `the clocks of this machine and the database differ by ${Math.round((theirs - ours) / 1000)} s; synchronize both with NTP`,
    };
  }
  return { about: 'clock', verdict: 'ok', says: new Date(ours).toISOString() };
}
