// The commands that list emails and retry one.
import { Command } from 'commander';
import { listMails, retryMail, type MailRow } from '../../mail/store.ts';
import type { CommandContext } from '../context.ts';
import { CommandError } from '../../operation/refusal.ts';
import { print, showInstant, table, count } from '../../operation/command.ts';

interface Flags {
  readonly json?: boolean;
  readonly limit: number;
}

export function mailCommand(context: CommandContext): Command {
  const command = new Command('mail').description('list emails; retry one');

  command
    .command('list')
    .description('list emails of the last 30 days, newest first')
    .option('--limit <n>', 'at most this many', count, 100)
    .option('--json', 'print JSON')
    .action(({ json = false, limit }: Flags) =>
      context.withCore(async ({ context: { db: database } }) => {
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
        // Never the content, which may hold a token.
        const withoutContent = mails.map(({ content: _content, ...mail }) => ({
          ...mail,
          state: stateOf(mail),
        }));
        print(json, withoutContent, table(['ID', 'AT', 'KIND', 'TO', 'STATE', 'ATTEMPTS', 'ERROR'], rows));
      }),
    );

  command
    .command('retry <id>')
    .description('retry a waiting email now; a running service sends it within seconds')
    .option('--json', 'print JSON')
    .action((id: string, { json = false }: Flags) =>
      context.withCore(async ({ context: { db: database } }) => {
        if (!(await retryMail(database, id, Date.now())))
          throw new CommandError(`No waiting email has the id ${id}`);
        print(json, { id }, `Email ${id} will be retried`);
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
