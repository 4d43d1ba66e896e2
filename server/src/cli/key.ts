import { Command } from 'commander';
import { readOptions } from '../config/read-options.ts';
import { readKeys, rotateKeys } from '../keys/open-keyring.ts';
import type { CommandContext } from './context.ts';
import { CommandError, print, table } from './output.ts';

interface Flags {
  readonly json?: boolean;
}

/** Ids only: a key on a terminal is a key in its scroll-back. */
export function keyCommand({ environment }: CommandContext): Command {
  const command = new Command('key').description(
    'list and rotate the keys under which secrets are kept in the database',
  );

  command
    .command('list')
    .description('list the ids of the keys, the current one first')
    .option('--json', 'print JSON')
    .action(({ json = false }: Flags) => {
      const { options } = readOptions(environment);
      const keys = readKeys(options);
      if (keys === undefined)
        throw new CommandError(
          `There is no key file ${options.secretKeyFile} yet; the first start of the service makes it.`,
        );
      const rows = keys.map(({ id }, i) => ({ id, current: i === 0 }));
      print(
        json,
        rows,
        table(
          ['ID', ''],
          rows.map(({ id, current }) => [id, current ? 'current' : 'for reading']),
        ),
      );
    });

  command
    .command('rotate')
    .description('put a new key in front of the others; what is written from the next start on is under it')
    .option('--json', 'print JSON')
    .action(({ json = false }: Flags) => {
      const { options } = readOptions(environment);
      const [current] = rotateKeys(options);
      const id = current?.id;
      print(
        json,
        { id, file: options.secretKeyFile },
        `The key ${id} is the current one in ${options.secretKeyFile} now, for every service that starts from here on. The older keys stay: what was written under them is read as before. Back the file up. Where several instances share the database, give all of them this file before any is started again.`,
      );
    });

  for (const sub of command.commands) sub.exitOverride();
  return command;
}
