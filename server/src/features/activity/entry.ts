// Turns recorded events into the entries of the activity page: repeated refusals become one entry, and each entry says in
// a sentence what happened and why.
import { rawMessage } from '../../kit/language.ts';
import type { AuditEvent } from '../../audit/event.ts';
import type { Translate } from '../../http/pages.ts';
import type { IconName } from '../../page/icon.ts';
import { findEvent, type EventDisplay } from '../../identity/event-display.ts';

/** An event, or several refusals of the same kind by the same client. */
export interface Entry {
  /** The newest one. */
  readonly event: AuditEvent;
  readonly display: EventDisplay;
  readonly count: number;
}

/** Icons, and whether users should check that it was them: always, never, or unless it was on their device. */
const looks: Readonly<Record<EventDisplay, { icon: IconName; asks: 'always' | 'elsewhere' | 'never' }>> = {
  sign_in: { icon: 'devices', asks: 'elsewhere' },
  sign_out: { icon: 'devices', asks: 'never' },
  password: { icon: 'lock', asks: 'always' },
  factor: { icon: 'key', asks: 'always' },
  address: { icon: 'mail', asks: 'always' },
  mail: { icon: 'mail', asks: 'never' },
  account: { icon: 'check', asks: 'never' },
  data: { icon: 'download', asks: 'always' },
  refusal: { icon: 'warning', asks: 'always' },
  hidden: { icon: 'pulse', asks: 'never' },
};

export function iconOf({ display }: Entry): IconName {
  return looks[display].icon;
}

/** Returns whether the page asks the user if it was them. */
export function asksOwner({ display }: Entry, isThisDevice: boolean): boolean {
  const { asks } = looks[display];
  return asks === 'always' || (asks === 'elsewhere' && !isThisDevice);
}

/** Returns entries in the order of the events: refusals without another event between them are counted together. */
export function entriesOf(events: readonly AuditEvent[]): Entry[] {
  const entries: Entry[] = [];
  let run = new Map<string, number>();
  for (const event of events) {
    const display = findEvent(event.reason)?.shownAs ?? (event.outcome === 'failure' ? 'refusal' : 'account');
    const own = countIn(event);
    if (display !== 'refusal') run = new Map();
    const key = JSON.stringify([
      event.reason,
      event.address,
      event.device,
      dayOf(event),
      event.facts?.['factor'],
      event.facts?.['name'],
    ]);
    const earlier = run.get(key);
    const entry = earlier === undefined ? undefined : entries[earlier];
    if (entry !== undefined && earlier !== undefined) {
      entries[earlier] = { ...entry, count: entry.count + own };
      continue;
    }
    if (display === 'refusal') run.set(key, entries.length);
    entries.push({ event, display, count: own });
  }
  return entries;
}

/** Refusals are recorded with their number. Of other events `count` is the number of what they changed. */
function countIn({ facts }: AuditEvent): number {
  const count = facts?.['count'];
  return typeof count === 'number' ? count : 1;
}

/** Returns the day of an event, in UTC. */
export function dayOf({ at }: Pick<AuditEvent, 'at'>): string {
  return new Date(at).toISOString().slice(0, 10);
}

/** Returns the sentence of an entry. */
export function sentenceOf(t: Translate, { event, count }: Entry): string {
  const { facts, outcome } = event;
  const kind = findEvent(event.reason);
  if (kind === undefined)
    return t(outcome === 'failure' ? 'page.activity.other_refused' : 'page.activity.other');
  const { factor = '', factors = [], name } = facts ?? {};
  const own = `${kind.message}.${name === undefined ? String(factor) : 'named'}`;
  const key = rawMessage(t.language, own) === undefined ? kind.message : own;
  const text = t(key, {
    count,
    name: String(name ?? ''),
    factor: factorName(t, String(factor)),
    factors: [factors]
      .flat()
      .map((one) => factorName(t, String(one)))
      .join(' + '),
  });
  return text.charAt(0).toLocaleUpperCase(t.language) + text.slice(1);
}

/** Returns the name of a factor within a sentence; the feature that declared it may have been removed. */
function factorName(t: Translate, factor: string): string {
  const key = `page.factor.${factor}`;
  if (rawMessage(t.language, key) === undefined) return t('page.activity.second_factor');
  const name = t(key);
  return name.charAt(0).toLocaleLowerCase(t.language) + name.slice(1);
}
