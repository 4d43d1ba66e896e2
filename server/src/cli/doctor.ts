// Checks everything that the service needs, and says how to mend what is wrong.
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { connect, createServer } from 'node:net';
import { Command } from 'commander';
import { brandNotes } from '../brand/color.ts';
import { minuteMs } from '../kit/clock.ts';
import { KeysRefused } from '../kit/keyring.ts';
import { ConfigurationFault } from '../config/read-options.ts';
import { readOptions, type Configuration } from '../app/options.ts';
import type { Database } from '../db/database.ts';
import { migratedModules } from '../app/migrations.ts';
import { isReadOnly, schemaDifferences, type SchemaDifference } from '../db/migrate.ts';
import { connectDatabase, sqlitePath } from '../db/open-database.ts';
import { examineSqliteFile, networkFileSystem } from '../db/sqlite-file.ts';
import { checkKeys, type KeySource } from '../keys/open-keyring.ts';
import type { CommandContext } from './context.ts';
import { exitCode, print, table } from './output.ts';

/** `unsafe` works but should be changed. */
type Verdict = 'ok' | 'unsafe' | 'fault';

interface Finding {
  readonly about: string;
  readonly verdict: Verdict;
  readonly says: string;
}

export function doctorCommand({ environment }: CommandContext): Command {
  return new Command('doctor')
    .description('check options, database, schema, file permissions, clock and address')
    .option('--json', 'print JSON')
    .action(async ({ json = false }: { json?: boolean }) => {
      const findings = await examine(environment);
      const rows = findings.map(({ about, verdict, says }) => [verdict, about, says]);
      print(json, findings, table(['', 'ABOUT', ''], rows));
      if (findings.some(({ verdict }) => verdict === 'fault')) process.exitCode = exitCode.failed;
    });
}

async function examine(environment: CommandContext['environment']): Promise<Finding[]> {
  let configuration: Configuration;
  try {
    configuration = readOptions(environment);
  } catch (error) {
    if (!(error instanceof ConfigurationFault)) throw error;
    return error.faults.map((says) => ({ about: 'options', verdict: 'fault', says }));
  }
  return [
    { about: 'options', verdict: 'ok', says: `${configuration.isPublic ? 'public' : 'local'} mode` },
    ...checkBrand(configuration),
    ...checkFiles(configuration),
    ...(await checkDatabase(configuration)),
    await checkAddress(configuration),
  ];
}

/** Reports the colors that pages show instead of the one that the operator chose. */
function checkBrand({ options, sources }: Configuration): Finding[] {
  if (sources.productColor === 'default') return [];
  return brandNotes(options.productColor).map((says) => ({
    about: 'brand',
    verdict: 'ok',
    says: `PRODUCT_COLOR ${says}`,
  }));
}

/** Rights of group and others in a file's mode. */
const othersMask = 0o077;

function checkFiles({ options }: Configuration): Finding[] {
  const path = sqlitePath(options.databaseUrl);
  const findings: Finding[] = [];
  const files: string[] = [];
  if (path !== undefined && existsSync(path)) {
    files.push(dirname(path), path);
    const network = networkFileSystem(dirname(path));
    if (network !== undefined)
      findings.push({
        about: 'files',
        verdict: 'fault',
        says: `${dirname(path)} is on ${network}; SQLite requires a local disk`,
      });
  }
  if (options.secretKey === undefined && existsSync(options.secretKeyFile)) files.push(options.secretKeyFile);
  for (const file of files) {
    const open = process.platform !== 'win32' && (statSync(file).mode & othersMask) !== 0;
    findings.push(
      open
        ? {
            about: 'files',
            verdict: 'unsafe',
            says: `${file} can be read by other users of this machine; run: chmod go= ${file}`,
          }
        : { about: 'files', verdict: 'ok', says: `only the owner can read ${file}` },
    );
  }
  return findings;
}

async function checkDatabase({ options }: Configuration): Promise<Finding[]> {
  const path = sqlitePath(options.databaseUrl);
  if (path !== undefined && !existsSync(path)) {
    return [
      { about: 'database', verdict: 'ok', says: `${path} does not exist yet; the first start creates it` },
    ];
  }
  try {
    if (path !== undefined) examineSqliteFile(path);
    const database = await connectDatabase(options.databaseUrl, options);
    try {
      const differences = await schemaDifferences(database, migratedModules);
      const clock = await checkClock(database);
      const keys = differences.length === 0 ? [await checkKeyring(options, database)] : [];
      return [await checkServer(database), toFinding(differences), ...keys, clock];
    } finally {
      await database.close();
    }
  } catch (error) {
    return [
      { about: 'database', verdict: 'fault', says: error instanceof Error ? error.message : String(error) },
    ];
  }
}

async function checkServer(database: Database): Promise<Finding> {
  const { engine, connectedBy } = database;
  const says = `${engine.name} answers${connectedBy === undefined ? '' : ` (${connectedBy})`}`;
  if (await isReadOnly(database))
    return { about: 'database', verdict: 'fault', says: `${says}, but accepts no changes: it is read-only` };
  return { about: 'database', verdict: 'ok', says };
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

async function checkKeyring(source: KeySource, database: Database): Promise<Finding> {
  const about = 'keys';
  try {
    const ring = await checkKeys(source, database);
    return {
      about,
      verdict: 'ok',
      says:
        ring === undefined
          ? 'none yet; the first start creates one'
          : `match the database; the current key is ${ring.ids[0]}`,
    };
  } catch (error) {
    if (!(error instanceof KeysRefused)) throw error;
    return { about, verdict: 'fault', says: error.message };
  }
}

/** Maximum difference between the database's clock and ours before expiry times look wrong to users. */
const clockToleranceMs = minuteMs;
/** The date of this check: an earlier clock is wrong, for example because its battery is empty. */
const earliestNow = Date.UTC(2026, 0, 1);

async function checkClock(database: Awaited<ReturnType<typeof connectDatabase>>): Promise<Finding> {
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

/** How long a service of ours may take to accept a connection. */
const connectMs = 1000;

async function checkAddress({ options: { host, port } }: Configuration): Promise<Finding> {
  const about = 'address';
  const taken = await new Promise<string | undefined>((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
  if (taken === undefined) return { about, verdict: 'ok', says: `${host}:${port} is free` };
  if (taken !== 'EADDRINUSE')
    return { about, verdict: 'fault', says: `${host}:${port} cannot be used to listen on (${taken})` };
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect({ host, port, timeout: connectMs });
    const settle = (accepts: boolean) => (): void => {
      socket.destroy();
      resolve(accepts);
    };
    socket.once('connect', settle(true)).once('error', settle(false)).once('timeout', settle(false));
  });
  return {
    about,
    verdict: 'ok',
    says: `${host}:${port} is in use${answers ? ' and accepts connections: a service is running there' : ''}`,
  };
}
