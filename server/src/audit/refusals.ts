// Collects repeated refusals in memory, so that attackers cannot fill the audit log: the first refusal of a network and
// kind is recorded immediately, and those of the next minute as one row for each account and reason, with their number. A
// crash loses the numbers of the last minute, never the first refusal.
//
// Constant work: whether a refusal is collected depends on its network and its name in the vocabulary only, which are the
// same for known and unknown accounts.
import { minuteMs, type Clock } from '../kit/clock.ts';
import { blockOf } from '../kit/rate-limit.ts';
import type { AuditSource, NewAuditEvent } from './event.ts';

/** Networks and kinds that are watched at a time. Above it refusals of further networks are collected together. */
const maxWindows = 200;
/** Rows that are collected at a time. Above it each refusal is recorded immediately. */
const maxCollected = 10_000;

/** Refusals that become one row. */
interface Refusals {
  readonly event: NewAuditEvent;
  readonly source: AuditSource;
  /** Unix milliseconds of the first one. */
  readonly at: number;
  readonly count: number;
}

interface Collected extends Refusals {
  readonly key: string;
  count: number;
  readonly endsAt: number;
  /** The request that was counted last: a transaction that runs again does not count twice. */
  requestId: string | undefined;
}

/** The minute after a refusal that was recorded immediately. */
interface Window {
  readonly endsAt: number;
  readonly requestId: string | undefined;
}

export class RefusalCollector {
  readonly #clock: Clock;
  readonly #windows = new Map<string, Window>();
  readonly #collected = new Map<string, Collected>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Collects a refusal. Returns false if it must be recorded immediately. */
  collect(event: NewAuditEvent, source: AuditSource): boolean {
    const { network: own, requestId } = source;
    if (event.isRepeatable !== true || own === undefined) return false;
    // An IPv6 /48 counts as one network: otherwise a single one could use up all windows.
    const network = blockOf(own);
    const now = this.#clock();
    const name = `${network} ${event.event}`;
    const window = this.#windows.get(name);
    const isOpen = window !== undefined && isOpenAt(window.endsAt, now);
    if (isOpen && window.requestId === requestId) return false;
    if (!isOpen && this.#hasRoom(now)) {
      this.#windows.set(name, { endsAt: now + minuteMs, requestId });
      return false;
    }
    return this.#add(isOpen ? network : '', event, source);
  }

  /** Removes and returns the refusals whose minute is over, of an account, or all. */
  take(which: 'due' | 'all' | { readonly userId: number }): readonly Collected[] {
    const now = this.#clock();
    const taken = [...this.#collected.values()].filter(({ endsAt, event }) => {
      if (which === 'all') return true;
      return which === 'due' ? !isOpenAt(endsAt, now) : event.userId === which.userId;
    });
    for (const { key } of taken) this.#collected.delete(key);
    return taken;
  }

  /** Puts back refusals that could not be written. */
  restore(taken: readonly Collected[]): void {
    for (const refusals of taken) {
      const newer = this.#collected.get(refusals.key)?.count ?? 0;
      this.#collected.set(refusals.key, { ...refusals, count: refusals.count + newer });
    }
  }

  #hasRoom(now: number): boolean {
    if (this.#windows.size < maxWindows) return true;
    for (const [name, { endsAt }] of this.#windows) if (!isOpenAt(endsAt, now)) this.#windows.delete(name);
    return this.#windows.size < maxWindows;
  }

  /** @param network Empty for one of many networks: the row then has no address, unless it concerns an account. */
  #add(network: string, event: NewAuditEvent, source: AuditSource): boolean {
    const { reason, userId, facts, target } = event;
    const key = JSON.stringify([network, event.event, reason, userId, facts, target]);
    const known = this.#collected.get(key);
    if (known !== undefined) {
      if (known.requestId !== source.requestId) known.count += 1;
      known.requestId = source.requestId;
      return true;
    }
    if (this.#collected.size >= maxCollected) return false;
    const at = this.#clock();
    const { requestId } = source;
    const shown = network === '' && userId === undefined ? { actor: source.actor } : source;
    this.#collected.set(key, { key, event, source: shown, at, count: 1, endsAt: at + minuteMs, requestId });
    return true;
  }
}

/** Returns whether a minute is still running. One that ends in more than a minute began before the clock was set back. */
function isOpenAt(endsAt: number, now: number): boolean {
  return now < endsAt && endsAt <= now + minuteMs;
}
