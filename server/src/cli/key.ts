import { Command } from 'commander';
import { readOptions } from '../app/options.ts';
import { readKeys, rotateKeys } from '../keys/open-keyring.ts';
import type { CommandContext } from './context.ts';
import { CommandError, print, table } from './output.ts';

interface Flags {
  readonly json?: boolean;
}

/** Ids only: a key on a terminal is a key in its scroll-back. */
export function keyCommand({ environment }: CommandContext): Command {
  const command = new Command('key').description(
    'list and rotate the keys that encrypt secrets in the database',
  );

  command
    .command('list')
    .description('list the ids of the keys, the current key first')
    .option('--json', 'print JSON')
    .action(({ json = false }: Flags) => {
      const { options } = readOptions(environment);
      const keys = readKeys(options);
      if (keys === undefined)
        throw new CommandError(
          `The key file ${options.secretKeyFile} does not exist yet. The first start of the service creates it.`,
        );
      const rows = keys.map(({ id }, i) => ({ id, current: i === 0 }));
      print(
        json,
        rows,
        table(
          ['ID', ''],
          rows.map(({ id, current }) => [id, current ? 'current' : 'decrypts only']),
        ),
      );
    });

  command
    .command('rotate')
    .description('add a new current key; services use it after their next start')
    .option('--json', 'print JSON')
    .action(({ json = false }: Flags) => {
      const { options } = readOptions(environment);
      const [current] = rotateKeys(options);
      const id = current?.id;
      print(
        json,
        { id, file: options.secretKeyFile },
        `The key ${id} is now the current key in ${options.secretKeyFile}; services use it after their next start. The older keys stay in the file, to decrypt existing data. Back up the file. If several instances share the database, copy the file to all of them before you restart any.`,
      );
    });

  for (const sub of command.commands) sub.exitOverride();
  return command;
}
