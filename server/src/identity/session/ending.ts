// Ends sessions. Every session ends here, so that the contributions of modules run at each end.
import type { Database } from '../../db/database.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import type { AccessRevoker, EndedSession, SessionEnding, SessionEndReason } from '../contribution.ts';
import type { PlainEvent } from '../event.ts';
import {
  expiredSessions,
  idleSessions,
  oneSession,
  otherSessions,
  ownSession,
  removeLocked,
  sessionsBeyond,
  sessionsOfUser,
  type SessionSet,
} from './ending-store.ts';
import { sessionEvents } from './event.ts';

export interface EndingCause {
  readonly reason: SessionEndReason;
  /** Unix milliseconds. */
  readonly at: number;
}

/**
 * Ends the sessions of a set and returns them; `endings` run before their rows are removed. Of two transactions that end
 * the same session at the same time, only one finds it. Inside the transaction of the cause.
 */
export async function endSessions(
  tx: Database,
  set: SessionSet,
  { reason, at }: EndingCause,
  endings: readonly SessionEnding[],
): Promise<readonly EndedSession[]> {
  if (endings.length === 0) return set.remove(tx);
  const sessions = await set.lock(tx);
  if (sessions.length === 0) return sessions;
  for (const ending of endings) await ending(tx, { sessions, reason, at });
  await removeLocked(tx, sessions);
  return sessions;
}

export interface EndingNeeds {
  readonly access: AccessRevoker;
  /** Read at each end, because modules add to it before the first request. */
  readonly endings: readonly SessionEnding[];
}

/** Ends sessions for each reason and records it. The class Sessions passes on to it. */
export class SessionEndings {
  readonly #context: AuthContext;
  readonly #needs: EndingNeeds;

  constructor(context: AuthContext, needs: EndingNeeds) {
    this.#context = context;
    this.#needs = needs;
  }

  /** Keeps a session from ending until the transaction has ended; returns false if it has ended. */
  async hold(tx: Database, id: string): Promise<boolean> {
    return (await oneSession(id).lock(tx)).length > 0;
  }

  /** Ends one session, of the given user if there is one; returns false if there is no such session. */
  end(id: string, source: ClientSource, userId?: number): Promise<boolean> {
    const set = userId === undefined ? oneSession(id) : ownSession(userId, id);
    return this.#context.db.transaction(async (tx) => {
      const [ended] = await this.#end(tx, set, 'ended');
      if (ended !== undefined) await this.#emit(tx, sessionEvents.session_ended, ended, source);
      return ended !== undefined;
    });
  }

  /**
   * Ends the sessions of a user, but not `kept`, and what outlives a plain sign-out: the access of programs. Returns the
   * number of sessions.
   */
  endAll(userId: number, source: ClientSource, kept?: string): Promise<number> {
    const { all_sessions_ended, other_sessions_ended } = sessionEvents;
    const { db, events } = this.#context;
    return db.transaction(async (tx) => {
      const { length: count } = await this.#end(tx, setOf(userId, kept), 'ended');
      await this.#needs.access.revoke(tx, userId, { kinds: ['grant'] });
      const event = kept === undefined ? all_sessions_ended : other_sessions_ended;
      if (count > 0) await events.emit(tx, event, { user: { id: userId }, facts: { count }, source });
      return count;
    });
  }

  /** Ends the sessions of a user, but not `kept`, with other access. The caller records why. Inside a transaction. */
  async revoke(tx: Database, userId: number, kept: string | undefined): Promise<void> {
    await this.#end(tx, setOf(userId, kept), 'revoked');
  }

  /** Ends the session that a sign-in replaces, if it still exists. Inside a transaction. */
  async endReplaced(tx: Database, id: string, source: ClientSource): Promise<void> {
    for (const ended of await this.#end(tx, oneSession(id), 'replaced'))
      await this.#emit(tx, sessionEvents.session_replaced, ended, source);
  }

  /** Ends the oldest sessions of a user who has more than `kept`. Inside a transaction. */
  async endBeyond(
    tx: Database,
    userId: number,
    { newest, kept }: { newest: string; kept: number },
    source: ClientSource,
  ): Promise<void> {
    for (const ended of await this.#end(tx, sessionsBeyond(userId, newest, kept), 'limit'))
      await this.#emit(tx, sessionEvents.oldest_session_ended, ended, source);
  }

  /** Ends an expired session that was presented, so that it is recorded only the first time. */
  endPresented(id: string): Promise<void> {
    return this.#context.db.transaction(async (tx) => {
      for (const ended of await this.#end(tx, oneSession(id), 'expired'))
        await this.#emit(tx, sessionEvents.expired_session_used, ended, { actor: 'anonymous' });
    });
  }

  /** Ends up to `limit` sessions that have expired or were not used for `idleMs` and returns how many. */
  async purge(limit: number, idleMs: number): Promise<number> {
    const { db, clock } = this.#context;
    const now = clock();
    const end = async (set: SessionSet): Promise<number> =>
      (await db.transaction((tx) => this.#end(tx, set, 'expired'))).length;
    const expired = await end(expiredSessions(now, limit));
    return expired < limit ? expired + (await end(idleSessions(now - idleMs, limit - expired))) : expired;
  }

  /** The only way in which this class ends sessions. Inside a transaction. */
  #end(tx: Database, set: SessionSet, reason: SessionEndReason): Promise<readonly EndedSession[]> {
    return endSessions(tx, set, { reason, at: this.#context.clock() }, this.#needs.endings);
  }

  #emit(tx: Database, event: PlainEvent, { id, userId }: EndedSession, source: ClientSource): Promise<void> {
    return this.#context.events.emit(tx, event, {
      user: { id: userId },
      target: { kind: 'session', id },
      source,
    });
  }
}

function setOf(userId: number, kept: string | undefined): SessionSet {
  return kept === undefined ? sessionsOfUser(userId) : otherSessions(userId, kept);
}
