// The commands that list and verify the audit log.
import { Command, InvalidArgumentError } from 'commander';
import { vocabularyNames, type AuditEvent } from '../../audit/event.ts';
import { nearest } from '../../kit/text/near-name.ts';
import type { CommandContext } from '../context.ts';
import { print, showInstant, table, count, requireUser } from '../../operation/command.ts';
import { exitCode } from '../output.ts';

interface Flags {
  readonly json?: boolean;
  readonly limit: number;
  readonly user?: string;
  readonly event?: string;
}

/** @throws {InvalidArgumentError} if no event has this name: an empty list would look as if nothing had happened. */
function eventName(value: string): string {
  if (vocabularyNames.some((name) => name === value)) return value;
  const meant = nearest(value, vocabularyNames, 1);
  throw new InvalidArgumentError(
    `${meant === undefined ? '' : `Did you mean ${meant}? `}The names are ${vocabularyNames.join(', ')}.`,
  );
}

/** Returns an event as a row of the table. */
function rowOf(event: AuditEvent): string[] {
  const { facts, actor, actorId, userId, target } = event;
  return [
    showInstant(event.at),
    event.event,
    event.outcome,
    event.reason ?? '-',
    Object.entries(facts ?? {})
      .map(([name, value]) => `${name}=${String(value)}`)
      .join(' ') || '-',
    actorId === null ? actor : `${actor} ${actorId}`,
    userId === null ? '-' : String(userId),
    target === null ? '-' : `${target.kind} ${target.id}`,
    event.address ?? '-',
  ];
}

export function auditCommand(context: CommandContext): Command {
  const command = new Command('audit').description('list and verify audit events');

  command
    .command('list')
    .description('list events, newest first')
    .option('--user <email>', 'only events of this user')
    .option('--event <name>', 'only events of this name in the OWASP Logging Vocabulary', eventName)
    .option('--limit <n>', 'at most this many', count, 100)
    .option('--json', 'print JSON')
    .action(({ json = false, user, event, limit }: Flags) =>
      context.withCore(async ({ audit, context: { db: database } }) => {
        const owner = user === undefined ? undefined : await requireUser(database, user);
        const events = await audit.list({
          limit,
          ...(owner !== undefined && { userId: owner.id }),
          ...(event !== undefined && { event }),
        });
        const head = ['AT', 'EVENT', 'OUTCOME', 'REASON', 'FACTS', 'BY', 'USER', 'TARGET', 'ADDRESS'];
        print(json, events, table(head, events.map(rowOf)));
      }),
    );

  command
    .command('verify')
    .description(
      'find rows that were changed, removed or inserted, and print the end of the chain; store it elsewhere to detect later removals',
    )
    .option('--json', 'print JSON')
    .action(({ json = false }: Flags) =>
      context.withCore(async ({ audit }) => {
        await audit.seal();
        const verdict = await audit.verify();
        const { sealed, lastNumber, lastSeal, faults } = verdict;
        const end = `The chain ends at ${lastNumber}: ${lastSeal}`;
        const words =
          faults.length === 0 ? [`${sealed} events verified; none was changed.`, end] : [...faults, end];
        print(json, verdict, words.join('\n'));
        if (faults.length > 0) process.exitCode = exitCode.failed;
      }),
    );

  for (const sub of command.commands) sub.exitOverride();
  return command;
}
