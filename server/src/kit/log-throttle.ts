import { minuteMs, systemClock, type Clock } from './clock.ts';

/** Maximum number of kinds before all counters are reset. A kind is a cause, so there are few in practice. */
const maxKinds = 100;

/**
 * Limits how often one kind of fault is logged: the first time immediately, then at most once a minute. A full disk must
 * not fill the log as well.
 */
export class LogThrottle {
  readonly #clock: Clock;
  readonly #kinds = new Map<string, { count: number; nextAt: number }>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /**
   * Counts one occurrence. Returns the number of occurrences since the last log line, or 0 if it is too early to log
   * again.
   */
  take(kind: string): number {
    const now = this.#clock();
    if (this.#kinds.size > maxKinds) this.#kinds.clear();
    const entry = this.#kinds.get(kind) ?? { count: 0, nextAt: now };
    this.#kinds.set(kind, entry);
    entry.count += 1;
    // A clock that is set back does not suppress a kind for more than a minute.
    if (now < entry.nextAt && entry.nextAt - now <= minuteMs) return 0;
    const { count } = entry;
    entry.count = 0;
    entry.nextAt = now + minuteMs;
    return count;
  }

  /** Resets a kind, so that its next occurrence is logged immediately. Returns whether it had occurred. */
  forget(kind: string): boolean {
    return this.#kinds.delete(kind);
  }
}
