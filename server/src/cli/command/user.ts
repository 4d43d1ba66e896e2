// The commands that manage users: add, list, set, disable, enable, remove, second factors, password.
import { password as askPassword, isCancel } from '@clack/prompts';
import { Command } from 'commander';
import { text as readAll } from 'node:stream/consumers';
import { requireEmailAddress } from '../../user/email-address.ts';
import { listUsers } from '../../user/store.ts';
import type { NewDetails } from '../../identity/details/details.ts';
import type { CommandContext } from '../context.ts';
import { CommandError, UsageError } from '../../operation/refusal.ts';
import { operator, print, showInstant, table, count, requireUser } from '../../operation/command.ts';
import { confirmUser, describeMetadata, describeUser, showUser, unlockUser, whyUser } from './user-check.ts';

interface Flags {
  readonly json?: boolean;
  readonly confirmed?: boolean;
  readonly limit: number;
  readonly after: number;
}

interface SetFlags {
  readonly json?: boolean;
  readonly name?: string;
  readonly picture?: string;
  readonly externalId?: string;
  readonly metadata?: string;
  readonly privateMetadata?: string;
}

export function userCommand(context: CommandContext): Command {
  const command = new Command('user').description(
    'add, list, show, change, explain, confirm, unlock, disable, enable and remove users; set a password',
  );
  addUser(command, context);
  listAll(command, context);
  showUser(command, context);
  setUser(command, context);
  whyUser(command, context);
  confirmUser(command, context);
  unlockUser(command, context);
  listFactors(command, context);
  resetFactors(command, context);
  setPassword(command, context);
  removeUser(command, context);
  for (const name of ['disable', 'enable'] as const) setDisabled(command, context, name);
  for (const sub of command.commands) sub.exitOverride();
  return command;
}

function addUser(command: Command, context: CommandContext): void {
  command
    .command('add <email>')
    .description('add a user; prompts for the password, or reads it from standard input')
    .option('--confirmed', 'the address counts as confirmed, and no email asks for it')
    .option('--json', 'print JSON')
    .action((email: string, { json = false, confirmed: emailVerified = false }: Flags) =>
      context.withCore(async ({ accounts }) => {
        const address = requireEmailAddress(email);
        const user = await accounts.register(address, await readPassword(), operator, { emailVerified });
        print(json, describeUser(user), `User ${user.id} added: ${user.email}`);
      }),
    );
}

function listAll(command: Command, context: CommandContext): void {
  command
    .command('list')
    .description('list users in order of id')
    .option('--limit <n>', 'at most this many', count, 100)
    .option('--after <id>', 'only ids above this one', count, 0)
    .option('--json', 'print JSON')
    .action(({ json = false, limit, after }: Flags) =>
      context.withCore(async ({ context: { db: database } }) => {
        const users = await listUsers(database, after, limit);
        const rows = users.map((user) => [String(user.id), user.email, showInstant(user.createdAt)]);
        print(json, users.map(describeUser), table(['ID', 'EMAIL', 'SINCE'], rows));
      }),
    );
}

function listFactors(command: Command, context: CommandContext): void {
  command
    .command('factors <email>')
    .description('list the second factors of a user, including those that the options turn off')
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      context.withCore(async ({ secondFactors, context: { db: database } }) => {
        const user = await requireUser(database, email);
        const factors = await secondFactors.storedOf(database, user.id);
        print(json, { email, factors }, factors.length === 0 ? 'None' : factors.join('\n'));
      }),
    );
}

function resetFactors(command: Command, context: CommandContext): void {
  command
    .command('reset-factors <email>')
    .description('remove all second factors, end all sessions and notify the user')
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      context.withCore(async ({ enrollment, context: { db: database } }) => {
        const user = await requireUser(database, email);
        if (!(await enrollment.reset(user.id, operator)))
          throw new CommandError(`${email} has no second factor`);
        print(json, { email }, `All second factors of ${email} were removed`);
      }),
    );
}

function setPassword(command: Command, context: CommandContext): void {
  command
    .command('set-password <email>')
    .description('set a password, end all sessions and revoke all tokens of the user')
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      context.withCore(async ({ accounts, context: { db: database } }) => {
        await requireUser(database, email); // fails before the prompt
        const user = await accounts.setPassword(requireEmailAddress(email), await readPassword(), operator);
        print(json, describeUser(user), `The password of ${user.email} was set and all sessions were ended`);
      }),
    );
}

function removeUser(command: Command, context: CommandContext): void {
  command
    .command('remove <email>')
    .description('remove a user with all data; this cannot be undone')
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      context.withCore(async ({ accounts, context: { db: database } }) => {
        const user = await requireUser(database, email);
        await accounts.remove(user.id, operator);
        print(json, describeUser(user), `User ${user.id} removed: ${user.email}`);
      }),
    );
}

function setDisabled(command: Command, context: CommandContext, name: 'disable' | 'enable'): void {
  const disabled = name === 'disable';
  command
    .command(`${name} <email>`)
    .description(
      disabled
        ? 'block a user from signing in and end all sessions'
        : 'let a disabled user sign in again, or cancel the scheduled removal of an account',
    )
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      context.withCore(async ({ accounts, context: { db: database } }) => {
        const user = await requireUser(database, email);
        await accounts.setDisabled(user.id, disabled, operator);
        print(json, describeUser(user), `User ${user.id} ${name}d: ${user.email}`);
      }),
    );
}

function setUser(command: Command, context: CommandContext): void {
  command
    .command('set <email>')
    .description('set the name, picture, external id or metadata of a user; empty text removes one')
    .option('--name <text>', 'the name that applications show')
    .option('--picture <url>', 'https address of a picture')
    .option('--external-id <id>', 'identifier of the user in another system, unique')
    .option('--metadata <json>', 'public metadata, a JSON object: the user and applications read it')
    .option('--private-metadata <json>', 'private metadata, a JSON object; - reads it from standard input')
    .option('--json', 'print JSON')
    .action((email: string, { json = false, ...flags }: SetFlags) =>
      context.withCore(async ({ context: { db: database }, details }) => {
        const given = await detailsOf(flags);
        if (Object.values(given).every((value) => value === undefined))
          throw new UsageError('Give at least one option: see bienvenue user set --help');
        const user = await requireUser(database, email);
        const changed = await details.change(user.id, given, operator);
        if (changed === undefined) throw new CommandError(`No user has the email address ${email}`);
        print(
          json,
          { ...describeUser({ ...user, ...changed }), ...describeMetadata(changed) },
          `${email} was changed`,
        );
      }),
    );
}

/** Reads the details that the options of `user set` give. @throws {UsageError} for metadata that is no JSON. */
async function detailsOf({
  name,
  picture,
  externalId,
  metadata,
  privateMetadata,
}: SetFlags): Promise<NewDetails> {
  return {
    name,
    picture,
    externalId,
    publicMetadata: metadataIn('--metadata', metadata),
    privateMetadata: metadataIn('--private-metadata', await textOf('--private-metadata', privateMetadata)),
  };
}

/**
 * Returns the text of an option, which - reads from standard input.
 * @throws {UsageError} if the input is empty: the program that should have written it failed, and nothing is removed.
 */
async function textOf(option: string, given: string | undefined): Promise<string | undefined> {
  if (given !== '-') return given;
  const text = await readAll(process.stdin);
  if (text.trim() !== '') return text;
  throw new UsageError(`Standard input is empty, and nothing was changed. ${option} '' removes the value.`);
}

function metadataIn(option: string, text: string | undefined): object | null | undefined {
  if (text === undefined) return undefined;
  if (text.trim() === '') return null;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // reported below, without the text: it may be private
  }
  throw new UsageError(`${option} must be a JSON object`);
}

/** Reads the password from the terminal or standard input. An argument would show in the shell history and process list. */
async function readPassword(): Promise<string> {
  if (!process.stdin.isTTY) return (await readAll(process.stdin)).replace(/\r?\n$/, '');
  const answer = await untilEnd((signal) => askPassword({ message: 'Password', signal }));
  if (isCancel(answer)) throw new CommandError('Nothing was changed');
  return answer;
}

/** Cancels a prompt at the end of the input (Ctrl+D), which the prompt does not notice: the input is paused then. */
async function untilEnd<T>(prompt: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const end = new AbortController();
  let cancelling: NodeJS.Immediate | undefined;
  const onPause = (): void => {
    cancelling = setImmediate(() => end.abort()); // an answer pauses the input too, and comes first
  };
  process.stdin.once('pause', onPause);
  try {
    return await prompt(end.signal);
  } finally {
    process.stdin.off('pause', onPause);
    clearImmediate(cancelling);
  }
}
