import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildService } from '../../src/app/core.ts';
import { readOptions } from '../../src/app/options.ts';
import type { Environment } from '../../src/config/read-options.ts';
import { Hasher } from '../../src/hash/hasher.ts';
import { silentLog } from '../../src/kit/log.ts';
import type { IdentityCore } from '../../src/module.ts';
import { freshDatabase, openPatiently, type EngineName } from './engines.ts';
import { patient } from './hashing.ts';
import { startService, type ServiceProcess } from './service.ts';
import { cheapSigningKey } from './signing-keys.ts';

/** What cleans up: a test, or the hooks of a suite. */
export interface Owner {
  after(work: () => Promise<void>): void;
}

export interface RunningService {
  /** What its processes share: database, data folder, few threads. Also for commands on the same data. */
  readonly environment: Environment;
  /** Starts a process, which ends with the test at the latest. */
  readonly start: (more?: Environment, program?: string) => Promise<ServiceProcess>;
}

/** A folder that is removed with the test. */
export async function temporaryFolder(t: Owner): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bienvenue-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A new database for service processes; it is removed after them, with the test. */
export async function serviceOn(t: Owner, engine: EngineName): Promise<RunningService> {
  const started: ServiceProcess[] = [];
  t.after(async () => {
    for (const service of started) await service.stop('SIGKILL');
  });
  const { url, drop } = await freshDatabase(engine);
  t.after(drop);
  const environment = { DATABASE_URL: url, DATA_DIR: await temporaryFolder(t), HASH_THREADS: '2' };
  return {
    environment,
    start: async (more = {}, program?: string) => {
      const service = await startService({ ...environment, ...more }, program);
      started.push(service);
      return service;
    },
  };
}

/** Creates the database and the keys that the options name, as the first start of the service does, and fills them. */
export async function createData(
  environment: Environment,
  fill: (core: IdentityCore) => Promise<void> = async () => {},
): Promise<void> {
  const configuration = readOptions(environment);
  const database = await openPatiently(configuration.options.databaseUrl);
  const service = await buildService(configuration, database, silentLog, {
    createSigningKey: cheapSigningKey,
    hasher: new Hasher(patient),
  });
  await fill(service.core);
  await service.close();
}
