import { password as askPassword, isCancel } from '@clack/prompts';
import { Command, InvalidArgumentError } from 'commander';
import { text as readAll } from 'node:stream/consumers';
import type { Database } from '../db/database.ts';
import { requireEmailAddress } from '../user/email-address.ts';
import { findUserByEmail, listUsers } from '../user/store.ts';
import type { User } from '../user/user.ts';
import type { CommandContext } from './cli.ts';
import { operator, print, Refusal, showInstant, table } from './output.ts';
import { withCore } from './context.ts';

interface Flags {
  readonly json?: boolean;
  readonly limit: number;
  readonly after: number;
}

/** Sessions counted by `user show`; more than a user may hold. */
const countedSessions = 1000;

export function userCommand(context: CommandContext): Command {
  const command = new Command('user').description(
    'add, list, show, disable, enable and remove users; set a password',
  );

  command
    .command('add <email>')
    .description('add a user; the password is asked for, or read from standard input')
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      withCore(context, async ({ accounts }) => {
        const user = await accounts.register(requireEmailAddress(email), await readPassword(), operator);
        print(json, toJson(user), `User ${user.id} added: ${user.email}`);
      }),
    );

  command
    .command('list')
    .description('list users in the order of their ids')
    .option('--limit <n>', 'at most this many', count, 100)
    .option('--after <id>', 'only ids above this one', count, 0)
    .option('--json', 'print JSON')
    .action(({ json = false, limit, after }: Flags) =>
      withCore(context, async ({ context: { db: database } }) => {
        const users = await listUsers(database, after, limit);
        const rows = users.map((user) => [String(user.id), user.email, showInstant(user.createdAt)]);
        print(json, users.map(toJson), table(['ID', 'EMAIL', 'SINCE'], rows));
      }),
    );

  command
    .command('show <email>')
    .description('show one user')
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      withCore(context, async ({ sessions, context: { db: database } }) => {
        const user = await requireUser(database, email);
        const listed = await sessions.list(user.id, countedSessions);
        const facts = { ...toJson(user), sessions: listed.length };
        print(
          json,
          facts,
          table(
            ['', ''],
            Object.entries(facts).map(([name, value]) => [name, String(value)]),
          ).trim(),
        );
      }),
    );

  command
    .command('factors <email>')
    .description('show the second factors that a user has set up')
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      withCore(context, async ({ secondFactors, context: { db: database } }) => {
        const user = await requireUser(database, email);
        const factors = await secondFactors.setOf(database, user.id);
        print(json, { email, factors }, factors.length === 0 ? 'None' : factors.join('\n'));
      }),
    );

  command
    .command('reset-factors <email>')
    .description(
      'take all second factors away: the password alone opens the account again; sessions end, and the owner is told',
    )
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      withCore(context, async ({ enrollment, context: { db: database } }) => {
        const user = await requireUser(database, email);
        if (!(await enrollment.reset(user.id, operator))) throw new Refusal(`${email} has no second factor`);
        print(json, { email }, `${email} has no second factor any more`);
      }),
    );

  command
    .command('set-password <email>')
    .description('set a password, end all sessions of the user and void pending tokens')
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      withCore(context, async ({ accounts, context: { db: database } }) => {
        await requireUser(database, email); // before anybody types a password in vain
        const user = await accounts.setPassword(requireEmailAddress(email), await readPassword(), operator);
        print(json, toJson(user), `The password of ${user.email} is set; all sessions have ended`);
      }),
    );

  command
    .command('remove <email>')
    .description('remove a user with all sessions and tokens; cannot be undone')
    .option('--json', 'print JSON')
    .action((email: string, { json = false }: Flags) =>
      withCore(context, async ({ accounts, context: { db: database } }) => {
        const user = await requireUser(database, email);
        await accounts.remove(user.id, operator);
        print(json, toJson(user), `User ${user.id} removed: ${user.email}`);
      }),
    );

  for (const [name, disabled] of [
    ['disable', true],
    ['enable', false],
  ] as const) {
    command
      .command(`${name} <email>`)
      .description(
        disabled
          ? 'close every door to a user and end all sessions'
          : 'open the doors to a user again who was disabled, or whose account is closed and would be removed',
      )
      .option('--json', 'print JSON')
      .action((email: string, { json = false }: Flags) =>
        withCore(context, async ({ accounts, context: { db: database } }) => {
          const user = await requireUser(database, email);
          await accounts.setDisabled(user.id, disabled, operator);
          print(json, toJson(user), `User ${user.id} ${name}d: ${user.email}`);
        }),
      );
  }

  for (const sub of command.commands) sub.exitOverride();
  return command;
}

/** @throws {Refusal} when nobody has this address. */
export async function requireUser(database: Database, email: string): Promise<User> {
  const user = await findUserByEmail(database, requireEmailAddress(email));
  if (user === undefined) throw new Refusal(`No user has the address ${email}`);
  return user;
}

/** A positive number of an option. */
export function count(value: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0)
    throw new InvalidArgumentError('It must be a whole number.');
  return number;
}

function toJson(user: User): Record<string, unknown> {
  return {
    id: user.id,
    email: user.email,
    created_at: new Date(user.createdAt).toISOString(),
    password_changed_at: new Date(user.passwordChangedAt).toISOString(),
    disabled_at: user.disabledAt === null ? null : new Date(user.disabledAt).toISOString(),
    delete_at: user.deleteAt === null ? null : new Date(user.deleteAt).toISOString(),
  };
}

/** Asked for on a terminal, never an argument: arguments stand in the shell's history and in the process list. */
async function readPassword(): Promise<string> {
  if (!process.stdin.isTTY) return (await readAll(process.stdin)).replace(/\r?\n$/, '');
  const answer = await askPassword({ message: 'Password' });
  if (isCancel(answer)) throw new Refusal('Nothing was changed');
  return answer;
}
