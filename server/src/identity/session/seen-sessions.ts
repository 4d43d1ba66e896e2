// Collects which sessions were used, and which expired ones were presented, and writes both in batches, so that a
// request does not wait for a write.
import { minuteMs } from '../../kit/clock.ts';
import type { AuthContext } from '../context.ts';
import { noteSeen } from './store.ts';

/** Maximum lag of `last_seen_at`: short compared to the idle life, long enough to save writes. */
export const seenGranularityMs = 5 * minuteMs;
/** Maximum number of sessions per statement. */
const batchSize = 500;

/** Ends an expired session that was presented. */
type EndPresented = (id: string) => Promise<void>;

/** Collects the last use of sessions and writes it in batches. */
export class SeenSessions {
  readonly #context: AuthContext;
  readonly #endPresented: EndPresented;
  #seen = new Set<string>();
  #expired = new Set<string>();

  constructor(context: AuthContext, endPresented: EndPresented) {
    this.#context = context;
    this.#endPresented = endPresented;
  }

  /** Notes a session whose stored instant is older than the granularity. */
  note(sessionId: string, storedAt: number): void {
    if (this.#context.clock() - storedAt >= seenGranularityMs) this.#seen.add(sessionId);
  }

  /** Notes that an expired session was presented. */
  noteExpired(sessionId: string): void {
    this.#expired.add(sessionId);
  }

  /** Writes the collected sessions. If that fails, the next request of a session notes it again. */
  async flush(): Promise<void> {
    const { db, clock, log } = this.#context;
    const seen = [...this.#seen];
    const expired = [...this.#expired];
    this.#seen = new Set();
    this.#expired = new Set();
    try {
      for (let i = 0; i < seen.length; i += batchSize)
        await noteSeen(db, seen.slice(i, i + batchSize), clock());
      for (const id of expired) await this.#endPresented(id);
    } catch (error) {
      log.warn({ err: error }, 'The last use of sessions was not saved');
    }
  }
}
