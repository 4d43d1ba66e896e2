import type { Log } from '../kit/log.ts';
import type { Clock } from '../kit/clock.ts';
import { minuteMs } from '../kit/clock.ts';
import type { Database } from '../db/database.ts';
import { noteSeen } from './session-store.ts';

/** How far behind the truth `last_seen_at` may be: small against the idle life, large against the cost of a write. */
export const seenGranularityMs = 5 * minuteMs;
/** Sessions noted by one statement. */
const batchSize = 500;

/** Gathers which sessions were seen, and writes them in batches off the request's path. */
export class LastSeen {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  #seen = new Set<string>();

  constructor(db: Database, clock: Clock, log: Log) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
  }

  /** Notes a session whose stored instant is older than the granularity. */
  note(sessionId: string, storedAt: number): void {
    if (this.#clock() - storedAt >= seenGranularityMs) this.#seen.add(sessionId);
  }

  /** Writes what was noted. What cannot be written is noted again by the session's next request. */
  async flush(): Promise<void> {
    const ids = [...this.#seen];
    this.#seen = new Set();
    try {
      for (let i = 0; i < ids.length; i += batchSize) await noteSeen(this.#db, ids.slice(i, i + batchSize), this.#clock());
    } catch (error) {
      this.#log.warn({ err: error }, 'Sessions seen were not noted');
    }
  }
}
