// Sessions: made for a user whose proof was verified, found by the token at every request, ended one or all.
import type { Clock } from '../../kit/clock.ts';
import { createToken, equalDigests, parseToken } from '../../kit/secret.ts';
import type { Database } from '../../db/database.ts';
import type { User } from '../../user/user.ts';
import type { AuthContext } from '../context.ts';
import { formatFactors, withFactor, parseFactors, type FactorUse } from '../factor/factor.ts';
import { SeenSessions } from './seen-sessions.ts';
import {
  addSession,
  findFactors,
  findSession,
  listSessions,
  removeExpiredSessions,
  removeSessionsBeyond,
  replaceSession,
  type SessionSummary,
} from './store.ts';
import './problem.ts';

/** A session as its request sees it. */
export interface Session {
  /** Public handle, a UUID. */
  readonly id: string;
  readonly userId: number;
  readonly email: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

export interface SessionLife {
  /** Absolute life in milliseconds. */
  readonly sessionMs: number;
  /** Life without a request in milliseconds. */
  readonly idleMs: number;
  /** Sessions that a user may hold; the oldest goes. */
  readonly perUser: number;
}

/** Characters of a user agent that are kept. */
const deviceCharacters = 500;

export class Sessions {
  readonly life: SessionLife;
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #seen: SeenSessions;

  constructor(context: AuthContext, life: SessionLife) {
    this.#db = context.db;
    this.life = life;
    this.#clock = context.clock;
    this.#seen = new SeenSessions(context);
  }

  /**
   * Adds a session for the password that the user had when it was verified: the token for its holder, or `undefined`
   * when the password has changed since, or the user is gone or disabled. Runs inside a transaction.
   */
  async add(
    tx: Database,
    user: User,
    { uses = [], device }: { uses?: readonly FactorUse[]; device?: string | undefined } = {},
  ): Promise<string | undefined> {
    const { id, secretHash, token } = createToken('session');
    const { id: userId, passwordChangedAt } = user;
    const now = this.#clock();
    const expiresAt = now + this.life.sessionMs;
    const isAdded = await addSession(tx, {
      id,
      secretHash,
      userId,
      passwordChangedAt,
      now,
      expiresAt,
      factors: formatFactors(uses),
      device: device?.slice(0, deviceCharacters) ?? null,
    });
    if (!isAdded) return undefined;
    await removeSessionsBeyond(tx, userId, id, this.life.perUser);
    return token;
  }

  /** The live session of a token; `undefined` for null, empty, malformed, unknown, ended and expired ones. */
  async find(token: string | null | undefined): Promise<Session | undefined> {
    const parts = parseToken('session', token);
    if (parts === undefined) return undefined;
    const row = await findSession(this.#db, parts.id);
    if (row === undefined || !equalDigests(row.secret_hash, parts.secretHash)) return undefined;
    const now = this.#clock();
    if (row.expires_at <= now || row.last_seen_at + this.life.idleMs <= now) {
      this.#seen.noteExpired(row.lookup_key);
      return undefined;
    }
    this.#seen.note(row.lookup_key, row.last_seen_at);
    return { id: row.lookup_key, userId: row.user_id, email: row.email, expiresAt: row.expires_at };
  }

  /** The factors that were given for a session. */
  async factorsOf(db: Database, id: string): Promise<FactorUse[]> {
    return parseFactors((await findFactors(db, id)) ?? '[]');
  }

  /**
   * Notes another factor of a session, which gets a new token: what was known of it before opens nothing any more (OWASP
   * ASVS 5.0 §7.2.4). `undefined` when the session is over. Inside a transaction.
   */
  async elevate(
    tx: Database,
    id: string,
    factor: string,
  ): Promise<{ id: string; token: string } | undefined> {
    const factors = await this.factorsOf(tx, id);
    const { id: newId, secretHash, token } = createToken('session');
    const uses = withFactor(factors, { factor, at: this.#clock() });
    const isElevated = await replaceSession(tx, { id, newId, secretHash, factors: formatFactors(uses) });
    return isElevated ? { id: newId, token } : undefined;
  }

  /** Live sessions of one user, or of all, newest first. */
  list(userId: number | undefined, limit: number): Promise<SessionSummary[]> {
    const now = this.#clock();
    return listSessions(this.#db, { userId, now, seenSince: now - this.life.idleMs, limit });
  }

  /** Writes what was noted of sessions since the last time. */
  flush(): Promise<void> {
    return this.#seen.flush();
  }

  /** Removes up to `limit` expired sessions and says how many. */
  purge(limit: number): Promise<number> {
    return removeExpiredSessions(this.#db, this.#clock(), limit);
  }
}
