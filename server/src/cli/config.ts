import { Command } from 'commander';
import { showOption } from '../config/read-options.ts';
import { allOptions, readOptions, type OptionName } from '../app/options.ts';
import type { CommandContext } from './context.ts';
import { print, table } from './output.ts';

export function configCommand({ environment }: CommandContext): Command {
  return new Command('config')
    .description('print the value and source of each option; secrets are hidden')
    .option('--json', 'print JSON')
    .action(({ json = false }: { json?: boolean }) => {
      const { options: values, sources, isPublic } = readOptions(environment);
      const names = Object.keys(allOptions) as OptionName[]; // the table's own keys
      const rows = names.map((name) => ({
        name: allOptions[name].env,
        value: showOption(allOptions[name], values[name]),
        source: sources[name],
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
