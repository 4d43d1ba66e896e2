import { Command } from 'commander';
import { listMails, retryMail, type MailRow } from '../mail/store.ts';
import type { CommandContext } from './cli.ts';
import { print, Refusal, showInstant, table } from './output.ts';
import { count } from './user.ts';
import { withCore } from './context.ts';

interface Flags {
  readonly json?: boolean;
  readonly limit: number;
}

export function mailCommand(context: CommandContext): Command {
  const command = new Command('mail').description('see what became of mails; try one again');

  command
    .command('list')
    .description('list mails of the last 30 days, newest first')
    .option('--limit <n>', 'at most this many', count, 100)
    .option('--json', 'print JSON')
    .action(({ json = false, limit }: Flags) =>
      withCore(context, async ({ context: { db: database } }) => {
        const mails = await listMails(database, limit);
        const rows = mails.map((mail) => [
          mail.id,
          showInstant(mail.created_at),
          mail.kind,
          mail.recipient,
          stateOf(mail),
          String(mail.tries),
          mail.last_error ?? '-',
        ]);
        // Never the content: a token may be in it.
        const withoutContent = mails.map(({ content: _content, ...mail }) => ({
          ...mail,
          state: stateOf(mail),
        }));
        print(json, withoutContent, table(['ID', 'AT', 'KIND', 'TO', 'STATE', 'TRIES', 'ERROR'], rows));
      }),
    );

  command
    .command('retry <id>')
    .description('make a waiting mail due at once; a running service sends it within seconds')
    .option('--json', 'print JSON')
    .action((id: string, { json = false }: Flags) =>
      withCore(context, async ({ context: { db: database } }) => {
        if (!(await retryMail(database, id, Date.now())))
          throw new Refusal(`No mail with the id ${id} is waiting`);
        print(json, { id }, `Mail ${id} is due`);
      }),
    );

  for (const sub of command.commands) sub.exitOverride();
  return command;
}

function stateOf({
  sent_at: sentAt,
  given_up_at: givenUpAt,
}: Pick<MailRow, 'sent_at' | 'given_up_at'>): string {
  if (sentAt !== null) return 'sent';
  return givenUpAt === null ? 'waiting' : 'given up';
}
