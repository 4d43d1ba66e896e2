// The commands that list logouts which were not delivered to an application, and retry one.
import { Command } from 'commander';
import type { Clock } from '../../../kit/clock.ts';
import type { Database } from '../../../db/database.ts';
import { count, print, showInstant, table, type FeatureCommandContext } from '../../../operation/command.ts';
import { CommandError } from '../../../operation/refusal.ts';
import { restartLogout } from './outbox.ts';
import { listLogouts } from './store.ts';

type Context = FeatureCommandContext<{ readonly db: Database; readonly clock: Clock }>;

interface Flags {
  readonly json?: boolean;
  readonly limit: number;
}

export function logoutCommand({ withData }: Context): Command {
  const command = new Command('logout').description('list logouts that no client has confirmed; retry one');

  command
    .command('list')
    .description('list back-channel logouts that were not delivered, newest first; abandoned ones for 7 days')
    .option('--limit <n>', 'at most this many', count, 100)
    .option('--json', 'print JSON')
    .action(({ json = false, limit }: Flags) =>
      withData(async ({ db }) => {
        const logouts = (await listLogouts(db, limit)).map((row) => ({
          ...row,
          state: row.given_up_at === null ? 'waiting' : 'given up',
        }));
        const rows = logouts.map((row) => [
          row.id,
          showInstant(row.created_at),
          row.client_id,
          row.state,
          String(row.attempts),
          row.last_error ?? '-',
        ]);
        print(json, logouts, table(['ID', 'AT', 'CLIENT', 'STATE', 'ATTEMPTS', 'ERROR'], rows));
      }),
    );

  command
    .command('retry')
    .argument('<id>')
    .description('deliver a logout again; a running service does it within seconds')
    .option('--json', 'print JSON')
    .action((id: string, { json = false }: Flags) =>
      withData(async ({ db, clock }) => {
        if (!(await restartLogout(db, id, clock()))) throw new CommandError(`No logout has the id ${id}`);
        print(json, { id }, `Logout ${id} will be retried`);
      }),
    );

  for (const sub of command.commands) sub.exitOverride();
  return command;
}
