// What requests tell of sessions, gathered and written in batches off the requests' path: that one was seen, or that
// somebody came with an expired one.
import { minuteMs } from '../../kit/clock.ts';
import type { AuthContext } from '../context.ts';
import { noteSeen, removeSession } from './store.ts';

/** How far behind the truth `last_seen_at` may be: small against the idle life, large against the cost of a write. */
const seenGranularityMs = 5 * minuteMs;
/** Sessions noted by one statement. */
const batchSize = 500;

export class SeenSessions {
  readonly #context: AuthContext;
  #seen = new Set<string>();
  #expired = new Set<string>();

  constructor(context: AuthContext) {
    this.#context = context;
  }

  /** Notes a session whose stored instant is older than the granularity. */
  note(sessionId: string, storedAt: number): void {
    if (this.#context.clock() - storedAt >= seenGranularityMs) this.#seen.add(sessionId);
  }

  /** Notes that an expired session was presented. */
  noteExpired(sessionId: string): void {
    this.#expired.add(sessionId);
  }

  /** Writes what was noted. What cannot be written is noted again by the session's next request. */
  async flush(): Promise<void> {
    const { db, clock, log } = this.#context;
    const seen = [...this.#seen];
    const expired = [...this.#expired];
    this.#seen = new Set();
    this.#expired = new Set();
    try {
      for (let i = 0; i < seen.length; i += batchSize)
        await noteSeen(db, seen.slice(i, i + batchSize), clock());
      for (const id of expired) await this.#endExpired(id);
    } catch (error) {
      log.warn({ err: error }, 'Session activity was not saved');
    }
  }

  /** Removes the row, so that each expired session is recorded once however often it comes. */
  #endExpired(id: string): Promise<void> {
    const { db, audit } = this.#context;
    return db.transaction(async (tx) => {
      const userId = await removeSession(tx, id);
      if (userId === undefined) return;
      await audit.record(
        tx,
        { event: 'session_use_after_expire', outcome: 'failure', userId },
        { actor: 'anonymous' },
      );
    });
  }
}
