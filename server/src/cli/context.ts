import { readOptions } from '../config/read-options.ts';
import { migratedModules } from '../app/migrations.ts';
import { openDatabase } from '../db/open-database.ts';
import { silentLog } from '../kit/log.ts';
import { buildService } from '../app/core.ts';
import type { IdentityCore } from '../module.ts';
import type { CommandContext } from './cli.ts';

/** Builds the service for one command, and closes it afterwards. */
export async function withCore<T>(
  { environment }: CommandContext,
  work: (core: IdentityCore) => Promise<T>,
): Promise<T> {
  const configuration = readOptions(environment);
  const service = await buildService(
    configuration,
    await openDatabase(configuration.options.databaseUrl, migratedModules),
    silentLog,
  );
  try {
    return await work(service.core);
  } finally {
    await service.close();
  }
}
