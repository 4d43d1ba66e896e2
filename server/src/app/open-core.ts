import { buildService } from './core.ts';
import { migratedModules } from './migrations.ts';
import { readOptions } from './options.ts';
import type { Environment } from '../config/read-options.ts';
import { openDatabase } from '../db/open-database.ts';
import { silentLog } from '../kit/log.ts';
import type { IdentityCore } from '../module.ts';

/** Runs `work` with the core of a service built from the options, and closes the service afterwards. */
export async function withCore<T>(
  environment: Environment,
  work: (core: IdentityCore) => Promise<T>,
): Promise<T> {
  const configuration = readOptions(environment);
  const service = await buildService(
    configuration,
    await openDatabase(configuration.options.databaseUrl, migratedModules, configuration.options),
    silentLog,
  );
  try {
    return await work(service.core);
  } finally {
    await service.close();
  }
}
