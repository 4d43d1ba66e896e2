import { Command } from 'commander';
import { readOptions } from '../app/options.ts';
import { latestVersion } from '../db/migrate.ts';
import { migrateDatabase } from '../db/open-database.ts';
import type { CommandContext } from './context.ts';
import { print } from './output.ts';

export function migrateCommand({ environment }: CommandContext): Command {
  return new Command('migrate')
    .description('upgrade the database schema to this release; serve also does this')
    .option('--json', 'print JSON')
    .action(async ({ json = false }: { json?: boolean }) => {
      const steps = await migrateDatabase(readOptions(environment).options.databaseUrl);
      const words = [
        ...steps.map((step) => `done: ${step}`),
        `schema ${latestVersion}${steps.length === 0 ? ', already up to date' : ''}`,
      ];
      print(json, { schema: latestVersion, steps }, words.join('\n'));
    });
}
