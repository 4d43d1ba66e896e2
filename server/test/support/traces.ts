// What an action leaves behind: rows of the record and mails, as sentences that a test can compare.
import { minuteMs } from '../../src/kit/clock.ts';
import type { PublicService } from './public-service.ts';

export interface Traces {
  /** `event outcome reason`, and the name of its user, in alphabetical order. */
  readonly record: string[];
  /** `kind to whom for so many minutes`, in alphabetical order. */
  readonly mails: string[];
}

/** Returns what an action leaves behind in the service. Users are called by the given names. */
export async function tracesIn(
  { service }: PublicService,
  people: Readonly<Record<string, number>>,
  deed: () => Promise<unknown>,
): Promise<Traces> {
  const { database, audit } = service.core;
  const names = new Map(Object.entries(people).map(([name, id]) => [id, name]));
  const nameOf = (id: number | null): string => (id === null ? 'nobody' : (names.get(id) ?? `user ${id}`));
  const eventsNow = () => audit.list({ limit: 10_000 });
  const mailsNow = () => database.query((sql) => sql.selectFrom('mails').selectAll());
  const known = new Set([...(await eventsNow()), ...(await mailsNow())].map(({ id }) => id));
  await deed();
  const events = (await eventsNow()).filter(({ id }) => !known.has(id));
  const mails = (await mailsNow()).filter(({ id }) => !known.has(id));
  return {
    record: events
      .map(({ event, outcome, reason, userId }) => `${event} ${outcome} ${reason} ${nameOf(userId)}`)
      .toSorted(),
    mails: mails
      .map((mail) => {
        const life = (mail.expires_at - mail.created_at) / minuteMs;
        return `${mail.kind} to ${nameOf(mail.user_id)} for ${life}`;
      })
      .toSorted(),
  };
}
