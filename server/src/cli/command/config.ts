import { Command } from 'commander';
import { printable } from '../../kit/text/printable.ts';
import { showOption } from '../../config/read-options.ts';
import { allOptions, readOptions } from '../../app/options.ts';
import type { CommandContext } from '../context.ts';
import { print, table } from '../../operation/command.ts';

export function configCommand({ environment }: CommandContext): Command {
  return new Command('config')
    .description('print the value and source of each option; secrets are hidden')
    .option('--json', 'print JSON')
    .action(({ json = false }: { json?: boolean }) => {
      const { options, sources, isPublic, warnings } = readOptions(environment);
      for (const warning of warnings) console.error(printable(warning));
      const values: Readonly<Record<string, unknown>> = options;
      const origins: Readonly<Record<string, string>> = sources;
      const rows = Object.entries(allOptions).map(([name, row]) => ({
        name: row.env,
        value: showOption(row, values[name]),
        source: origins[name] ?? '',
      }));
      const words = table(
        ['OPTION', 'VALUE', 'FROM'],
        rows.map(({ name, value, source }) => [name, value || '-', source]),
      );
      print(
        json,
        { mode: isPublic ? 'public' : 'local', options: rows },
        `${words}\n\nmode: ${isPublic ? 'public' : 'local'}`,
      );
    });
}
