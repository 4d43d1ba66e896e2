import { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { CommandError } from '../../operation/refusal.ts';
import { operator, print, showInstant, table, count, requireUser } from '../../operation/command.ts';

interface Flags {
  readonly json?: boolean;
  readonly limit: number;
  readonly user?: string;
}

export function sessionCommand(context: CommandContext): Command {
  const command = new Command('session').description('list and end sessions');

  command
    .command('list')
    .description('list active sessions, newest first')
    .option('--user <email>', 'only sessions of this user')
    .option('--limit <n>', 'at most this many', count, 100)
    .option('--json', 'print JSON')
    .action(({ json = false, user, limit }: Flags) =>
      context.withCore(async ({ sessions, context: { db: database } }) => {
        const owner = user === undefined ? undefined : await requireUser(database, user);
        const listed = await sessions.list(owner?.id, limit);
        const rows = listed.map((session) => [
          session.id,
          session.email,
          showInstant(session.created_at),
          showInstant(session.last_seen_at),
          showInstant(session.expires_at),
        ]);
        print(json, listed, table(['ID', 'EMAIL', 'SINCE', 'SEEN', 'UNTIL'], rows));
      }),
    );

  command
    .command('end [id]')
    .description('end one session by its id, or all sessions of a user')
    .option('--user <email>', 'end all sessions of this user')
    .option('--json', 'print JSON')
    .action((id: string | undefined, { json = false, user }: Flags, self: Command) => {
      if ((id === undefined) === (user === undefined))
        self.error('error: give either a session id or --user <email>');
      return context.withCore(async ({ sessions, context: { db: database } }) => {
        if (user !== undefined) {
          await sessions.endAll((await requireUser(database, user)).id, operator);
          print(json, { user }, `All sessions of ${user} were ended`);
        } else {
          if (!(await sessions.end(id ?? '', operator)))
            throw new CommandError(`No session has the id ${id}`);
          print(json, { id }, `Session ${id} was ended`);
        }
      });
    });

  for (const sub of command.commands) sub.exitOverride();
  return command;
}
