import { readOptions } from '../config/read-options.ts';
import { migratedModules } from '../app/migrations.ts';
import { openDatabase } from '../db/open-database.ts';
import { silentLog } from '../kit/log.ts';
import { buildCore, type Core } from '../app/core.ts';
import type { CommandContext } from './cli.ts';

/** Opens the rooms for one command and closes them behind it. */
export async function withCore<T>(
  { environment }: CommandContext,
  work: (core: Core) => Promise<T>,
): Promise<T> {
  const configuration = readOptions(environment);
  const core = await buildCore(
    configuration,
    await openDatabase(configuration.options.databaseUrl, migratedModules),
    silentLog,
  );
  try {
    return await work(core);
  } finally {
    await core.close();
  }
}
