import { Command } from 'commander';
import { migratedModules } from '../app/migrations.ts';
import { sealedColumns } from '../app/sealed-columns.ts';
import { readOptions } from '../config/read-options.ts';
import { openDatabase } from '../db/open-database.ts';
import { systemClock } from '../kit/clock.ts';
import { openKeyring, readKeys, rotateKeys } from '../keys/open-keyring.ts';
import { reseal } from '../keys/sealed.ts';
import type { CommandContext } from './cli.ts';
import { print, Refusal, table } from './output.ts';

/** Rows between two lines of progress. */
const progressRows = 1000;

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
        throw new Refusal(
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
        `The key ${id} is the current one in ${options.secretKeyFile} now, for every service that starts from here on. The older keys stay: what was written under them is read as before. Back the file up. Where several instances share the database, give all of them this file before any is started again. Once all of them have started with it, run "bienvenue key reseal".`,
      );
    });

  command
    .command('reseal')
    .description('encrypt what older keys encrypted again under the current one, once every instance has it')
    .option('--json', 'print JSON')
    .action(async ({ json = false }: Flags) => {
      const { options } = readOptions(environment);
      const database = await openDatabase(options.databaseUrl, migratedModules);
      try {
        const keyring = await openKeyring(options, database, systemClock);
        const columns = await reseal(database, keyring, sealedColumns, (done, all) => {
          if (done % progressRows === 0) console.error(`${done} of ${all} rows are encrypted again`);
        });
        const rows = columns.map(({ table: name, column, rows: count, left }) => [
          `${name}.${column}`,
          String(count),
          String(left),
        ]);
        print(json, columns, table(['COLUMN', 'ENCRYPTED AGAIN', 'LEFT'], rows));
        if (columns.some(({ left }) => left > 0))
          throw new Refusal(
            'An instance still writes under an older key. Start every instance again with the current key file, then run this command again.',
          );
      } finally {
        await database.close();
      }
    });

  for (const sub of command.commands) sub.exitOverride();
  return command;
}
