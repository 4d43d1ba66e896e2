import { Command } from 'commander';
import { migratedModules } from '../../app/migrations.ts';
import { migrateDatabase } from '../../db/open-database.ts';
import type { CommandContext } from '../context.ts';
import { print } from '../../operation/command.ts';

export function migrateCommand({ enter }: CommandContext): Command {
  return new Command('migrate')
    .description('upgrade the database schema to this release; serve also does this')
    .option('--json', 'print JSON')
    .action(async ({ json = false }: { json?: boolean }) => {
      const options = await enter();
      const steps = await migrateDatabase(options.databaseUrl, migratedModules, options);
      const schema = Object.fromEntries(
        migratedModules.map(({ name, migrations }) => [name, migrations.length]),
      );
      const words = [
        ...steps.map((step) => `done: ${step}`),
        steps.length === 0 ? 'The schema is already up to date.' : 'The schema is up to date.',
      ];
      print(json, { schema, steps }, words.join('\n'));
    });
}
