import { minuteMs, systemClock, type Clock } from './clock.ts';

/** Kinds that are kept apart; beyond them all begin anew. A kind is a cause, of which there are few. */
const maxKinds = 100;

/**
 * Keeps one fault from being told a thousand times: a full disk must not be followed by a full log. Each kind is told
 * at once, then at most once a minute.
 */
export class LogThrottle {
  readonly #clock: Clock;
  readonly #kinds = new Map<string, { count: number; nextAt: number }>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Counts one of the kind: how many there were since it was last told, or 0 where it is too soon to tell. */
  take(kind: string): number {
    const now = this.#clock();
    if (this.#kinds.size > maxKinds) this.#kinds.clear();
    const entry = this.#kinds.get(kind) ?? { count: 0, nextAt: now };
    this.#kinds.set(kind, entry);
    entry.count += 1;
    // A clock that went back does not silence it for longer.
    if (now < entry.nextAt && entry.nextAt - now <= minuteMs) return 0;
    const { count } = entry;
    entry.count = 0;
    entry.nextAt = now + minuteMs;
    return count;
  }

  /** The kind is over: true if it had come, and the next one is told at once. */
  forget(kind: string): boolean {
    return this.#kinds.delete(kind);
  }
}
