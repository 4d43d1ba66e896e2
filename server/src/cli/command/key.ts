// The commands that manage keys: those that encrypt secrets (list, rotate, and reseal, which encrypts older secrets under
// the current key), and those that sign tokens (list, rotate, retire).
import { Command } from 'commander';
import { resolve } from 'node:path';
import { sealedColumns } from '../../app/sealed-columns.ts';
import { readOptions, type Configuration } from '../../app/options.ts';
import type { Environment } from '../../config/read-options.ts';
import { formatInstant, systemClock } from '../../kit/clock.ts';
import { missingKeyFile } from '../../keys/key-file.ts';
import { openKeyring, readKeys, rotateKeys } from '../../keys/open-keyring.ts';
import { reseal } from '../../keys/sealed.ts';
import type { SigningKeyEntry } from '../../keys/signing-key-life.ts';
import type { CommandContext } from '../context.ts';
import { becomeOwnerOfFolder } from '../../operation/data-owner.ts';
import { announce } from '../../operation/data-place.ts';
import { CommandError } from '../../operation/refusal.ts';
import { operator, print, showInstant, table } from '../../operation/command.ts';

/** Rows between two lines of progress. */
const progressRows = 1000;

interface Flags {
  readonly json?: boolean;
}

/** Prints ids only: a key on a terminal stays in its scroll-back. */
export function keyCommand({ environment, openData }: CommandContext): Command {
  const command = new Command('key').description(
    'list and rotate the keys that encrypt secrets in the database',
  );

  command
    .command('list')
    .description('list the ids of the keys, the current key first')
    .option('--json', 'print JSON')
    .action(({ json = false }: Flags) => {
      const options = enterKeys(environment);
      const keys = readKeys(options);
      if (keys === undefined) throw missingKeyFile(options.secretKeyFile);
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
      const options = enterKeys(environment);
      const [current] = rotateKeys(options);
      const id = current?.id;
      print(
        json,
        { id, file: options.secretKeyFile },
        `The key ${id} is now the current key in ${options.secretKeyFile}; services use it after their next start. The older keys stay in the file, to decrypt existing data. Back up the file. If several instances share the database, copy the file to all of them before you restart any. After all of them have restarted, run "bienvenue key reseal".`,
      );
    });

  command
    .command('reseal')
    .description(
      'encrypt secrets of older keys again with the current key; run it when every instance has that key',
    )
    .option('--json', 'print JSON')
    .action(async ({ json = false }: Flags) => {
      const { options, database } = await openData();
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
          throw new CommandError(
            'An instance still writes under an older key. Start every instance again with the current key file, then run this command again.',
          );
      } finally {
        await database.close();
      }
    });

  for (const sub of command.commands) sub.exitOverride();
  return command;
}

/** Reads the options, says which keys a command works on, and becomes the owner of their folder. */
function enterKeys(environment: Environment): Configuration['options'] {
  const { options } = readOptions(environment);
  const file = options.secretKey === undefined ? resolve(options.secretKeyFile) : undefined;
  announce('Keys', file ?? 'SECRET_KEY');
  if (file !== undefined) becomeOwnerOfFolder(file);
  return options;
}

interface SigningKeyFlags extends Flags {
  readonly now?: boolean;
  readonly all?: boolean;
}

/** Prints public facts only: a private key never leaves the database. */
export function signingKeyCommand({ withCore }: CommandContext): Command {
  const command = new Command('signing-key').description('list, rotate and retire the keys that sign tokens');

  command
    .command('list')
    .description('list the published keys: those that sign first, then retired ones, then the next ones')
    .option('--json', 'print JSON')
    .action(({ json = false }: Flags) =>
      withCore(async ({ signingKeys }) => {
        const keys = await signingKeys.list();
        const words =
          keys.length === 0
            ? 'No signing keys yet. The service creates them when it first needs them.'
            : show(keys);
        print(json, keys.map(describe), words);
      }),
    );

  command
    .command('rotate')
    .description('let the next keys sign, and keep the previous keys published for a day')
    .option('--now', 'even if verifiers may have cached the published keys without the next ones')
    .option('--json', 'print JSON')
    .action(({ json = false, now = false }: SigningKeyFlags) =>
      withCore(async ({ signingKeys }) => {
        const keys = await signingKeys.rotate({ now }, operator);
        print(json, keys.map(describe), `The next keys sign within 10 seconds.\n${show(keys)}`);
      }),
    );

  command
    .command('retire [kid]')
    .description('remove a compromised key: tokens that it signed are no longer accepted')
    .option('--all', 'remove all keys, for example after the database was stolen with its keys')
    .option('--now', 'required: tokens and verifiers with cached keys fail until new keys are fetched')
    .option('--json', 'print JSON')
    .action(
      (
        kid: string | undefined,
        { json = false, now = false, all = false }: SigningKeyFlags,
        self: Command,
      ) => {
        if ((kid === undefined) !== all) self.error('error: give either the id of a key or --all');
        if (!now)
          self.error(
            'error: --now is required, because tokens that the key signed stop working. To replace a key that is not compromised, use "bienvenue signing-key rotate"',
          );
        return withCore(async ({ signingKeys }) => {
          const keys = await signingKeys.retire(kid === undefined ? 'all' : { kid }, operator);
          print(
            json,
            keys.map(describe),
            `${kid === undefined ? 'All keys were' : `The key ${kid} was`} removed; services notice within 10 seconds.\n${show(keys)}`,
          );
        });
      },
    );

  for (const sub of command.commands) sub.exitOverride();
  return command;
}

function show(keys: readonly SigningKeyEntry[]): string {
  const rows = keys.map((key) => [key.kid, key.alg, key.state, showInstant(key.stateSince), showNote(key)]);
  return table(['ID', 'ALGORITHM', 'STATE', 'SINCE', ''], rows);
}

function showNote({ readyAt, expiresAt }: SigningKeyEntry): string {
  if (readyAt !== null) return `may sign from ${showInstant(readyAt)}`;
  return expiresAt === null ? '' : `published until ${showInstant(expiresAt)}`;
}

/** The JSON form of a key. */
function describe({ kid, alg, state, createdAt, stateSince, readyAt, expiresAt }: SigningKeyEntry): object {
  return {
    kid,
    alg,
    state,
    created_at: formatInstant(createdAt),
    state_since: formatInstant(stateSince),
    ready_at: readyAt === null ? null : formatInstant(readyAt),
    expires_at: expiresAt === null ? null : formatInstant(expiresAt),
  };
}
