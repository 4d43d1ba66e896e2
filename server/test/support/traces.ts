// Records the effects of an action, audit rows and mails, as sentences that a test can compare.
import type { AuditEvent } from '../../src/audit/event.ts';
import { minuteMs } from '../../src/kit/clock.ts';
import type { PublicService } from './public-service.ts';

export interface Traces {
  /** `event outcome reason fact=value` and the name of the user, in alphabetical order. */
  readonly record: string[];
  /** `kind to user for so many minutes`, in alphabetical order. */
  readonly mails: string[];
}

/** The reason, with the facts: `signed_in factors=password,totp`. */
export function reasonIn({ reason, facts }: Pick<AuditEvent, 'reason' | 'facts'>): string {
  const known = Object.entries(facts ?? {}).map(([name, value]) => `${name}=${String(value)}`);
  return [String(reason), ...known].join(' ');
}

/** Runs an action and returns its effects. Users appear under the names passed in. */
export async function tracesIn(
  { service }: PublicService,
  people: Readonly<Record<string, number>>,
  action: () => Promise<unknown>,
): Promise<Traces> {
  const { database, audit } = service.core;
  const names = new Map(Object.entries(people).map(([name, id]) => [id, name]));
  const nameOf = (id: number | null): string => (id === null ? 'nobody' : (names.get(id) ?? `user ${id}`));
  const eventsNow = () => audit.list({ limit: 10_000 });
  const mailsNow = () => database.query((sql) => sql.selectFrom('mails').selectAll());
  const known = new Set([...(await eventsNow()), ...(await mailsNow())].map(({ id }) => id));
  await action();
  const events = (await eventsNow()).filter(({ id }) => !known.has(id));
  const mails = (await mailsNow()).filter(({ id }) => !known.has(id));
  return {
    record: events
      .map((row) => `${row.event} ${row.outcome} ${reasonIn(row)} ${nameOf(row.userId)}`)
      .toSorted(),
    mails: mails
      .map((mail) => {
        // A mail that waits for the end of a pause begins its life then.
        const dueAt = mail.tries === 0 ? mail.next_at : mail.created_at;
        const life = (mail.expires_at - dueAt) / minuteMs;
        return `${mail.kind} to ${nameOf(mail.user_id)} for ${life}`;
      })
      .toSorted(),
  };
}
