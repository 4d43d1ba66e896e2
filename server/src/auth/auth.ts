// Identity's trunk: who registers, who logs in, whose session this is, who may set a new password. Holds neither SQL
// nor HTTP. The verbs are the contract's; what the service needs beyond them stands behind each.
import type { Clock } from '../kit/clock.ts';
import { dayMs, minuteMs, systemClock } from '../kit/clock.ts';
import { Problem } from '../kit/problem.ts';
import { createToken, equalDigests, parseToken } from '../kit/secret.ts';
import { silentLog, type Log } from '../kit/log.ts';
import type { Database } from '../db/database.ts';
import { Hasher } from '../hash/hasher.ts';
import type { DB } from '../user/db.ts';
import { requireEmailAddress, toEmailAddress, type EmailAddress } from '../user/email-address.ts';
import { addUser, findUserByEmail, findUserById, updatePasswordHash, upgradeHash } from '../user/store.ts';
import { ValueError, type User } from '../user/user.ts';
import { LastSeen } from './last-seen.ts';
import { anyPassword, type PasswordRule } from './password-rule.ts';
import { addSession, findSession, removeExpiredSessions, removeSession, removeSessionsBeyond, removeSessionsOf } from './session-store.ts';
import { consumeToken, findTokenOwner, removeExpiredTokens, removeTokensOf, replaceToken } from './token-store.ts';

/** A session as its request sees it. */
export interface Session {
  /** Public handle, a UUID. */
  readonly id: string;
  readonly userId: number;
  readonly email: string;
  /** Unix milliseconds. */
  readonly expiresAt: number;
}

export interface AuthOptions {
  readonly db: DB;
  readonly hasher?: Hasher;
  readonly clock?: Clock;
  readonly log?: Log;
  /** What a new password must be; any non-empty one by default. */
  readonly passwordRule?: PasswordRule;
  /** Absolute life of a session. */
  readonly sessionDays?: number;
  /** Life of a session without a request. */
  readonly sessionIdleDays?: number;
  /** Sessions a user may hold; the oldest goes. */
  readonly sessionsPerUser?: number;
  /** Life of a reset token. */
  readonly resetTokenMinutes?: number;
}

/** Rows removed at once, so that a purge never holds the writer for long. */
const purgeBatch = 500;

export class Auth {
  readonly #db: Database;
  readonly #hasher: Hasher;
  readonly #clock: Clock;
  readonly #lastSeen: LastSeen;
  readonly #passwordRule: PasswordRule;
  readonly #sessionMs: number;
  readonly #sessionIdleMs: number;
  readonly #sessionsPerUser: number;
  readonly #resetTokenMs: number;

  constructor(options: AuthOptions) {
    const { db, hasher, clock = systemClock, log = silentLog, passwordRule = anyPassword } = options;
    this.#db = db.database;
    this.#hasher = hasher ?? new Hasher();
    this.#clock = clock;
    this.#lastSeen = new LastSeen(this.#db, clock, log);
    this.#passwordRule = passwordRule;
    this.#sessionMs = (options.sessionDays ?? 30) * dayMs;
    this.#sessionIdleMs = (options.sessionIdleDays ?? 7) * dayMs;
    this.#sessionsPerUser = options.sessionsPerUser ?? 50;
    this.#resetTokenMs = (options.resetTokenMinutes ?? 60) * minuteMs;
  }

  /** Absolute life of a session in milliseconds: also the life of its cookie. */
  get sessionMs(): number {
    return this.#sessionMs;
  }

  /**
   * Adds a user with this e-mail and password. The hash is made before the address is tried, so that a taken address
   * takes the same time as a free one.
   * @throws {ValueError} `User <e-mail> already exists`.
   * @throws {Problem} invalid_request for an address that is none or a password that the rule refuses.
   */
  async registerUser(email: string, password: string): Promise<User> {
    const address = requireEmailAddress(email);
    await this.#passwordRule(password, { email: address.text, field: 'password' });
    const hashedPassword = await this.#hasher.hash(password);
    const user = await addUser(this.#db, address, hashedPassword, this.#clock());
    if (user === undefined) throw new ValueError(`User ${address.text} already exists`);
    return user;
  }

  /** True only if the user exists and the password is theirs; false in the same time otherwise. */
  async validLogin(email: string, password: string): Promise<boolean> {
    return (await this.#verifyPassword(email, password)) !== undefined;
  }

  /**
   * Verifies the password and creates a session for it: the token for its holder, or `undefined`. A password changed
   * between the two creates none.
   */
  async logIn(email: string, password: string): Promise<string | undefined> {
    const user = await this.#verifyPassword(email, password);
    return user && this.#createSessionOf(user);
  }

  /** A new session of this user: its token, or `undefined` for an unknown e-mail. */
  async createSession(email: string): Promise<string | undefined> {
    const user = await this.#findUser(email);
    return user && this.#createSessionOf(user);
  }

  /** The live session of a token; `undefined` for null, empty, malformed, unknown, ended and expired ones. */
  async getSession(token: string | null | undefined): Promise<Session | undefined> {
    const parts = parseToken('session', token);
    if (parts === undefined) return undefined;
    const row = await findSession(this.#db, parts.id);
    if (row === undefined || !equalDigests(row.secret_hash, parts.secretHash)) return undefined;
    const now = this.#clock();
    if (row.expires_at <= now || row.last_seen_at + this.#sessionIdleMs <= now) return undefined;
    this.#lastSeen.note(row.lookup_key, row.last_seen_at);
    return { id: row.lookup_key, userId: row.user_id, email: row.email, expiresAt: row.expires_at };
  }

  /** The user of a live session; `undefined` in any other case. */
  async getUserFromSessionId(sessionId: string | null | undefined): Promise<User | undefined> {
    const session = await this.getSession(sessionId);
    return session && findUserById(this.#db, session.userId);
  }

  /** Ends every session of the user; an unknown id does nothing. */
  async destroySession(userId: number): Promise<void> {
    await removeSessionsOf(this.#db, userId);
  }

  /** Ends one session by its public handle; false when there was none. */
  endSession(id: string): Promise<boolean> {
    return removeSession(this.#db, id);
  }

  /**
   * A new reset token of this user, in the place of the older one.
   * @throws {Problem} unknown_email.
   */
  async getResetPasswordToken(email: string): Promise<string> {
    const user = await this.#findUser(email);
    if (user === undefined) throw new Problem('unknown_email');
    const { id, secretHash, token } = createToken('reset');
    const now = this.#clock();
    await replaceToken(this.#db, { id, secretHash, userId: user.id, kind: 'reset', now, expiresAt: now + this.#resetTokenMs });
    return token;
  }

  /**
   * Spends the reset token, stores the new password and ends every session of the user: all or nothing.
   * With `email` the token must be this user's.
   * @throws {Problem} token_invalid for an unknown, null, expired, spent or foreign token; nothing changes.
   * @throws {Problem} invalid_request for a password that the rule refuses; the token stays unspent.
   */
  async updatePassword(resetToken: string | null | undefined, password: string, email?: string): Promise<User> {
    const parts = parseToken('reset', resetToken);
    if (parts === undefined) throw new Problem('token_invalid');
    // A look before the work, so that a guessed token costs no hash. The decision is consumeToken's.
    const ownerId = await findTokenOwner(this.#db, parts, 'reset', this.#clock());
    const owner = ownerId === undefined ? undefined : await findUserById(this.#db, ownerId);
    if (owner === undefined || (email !== undefined && !isSameAddress(email, owner.email))) throw new Problem('token_invalid');
    await this.#passwordRule(password, { email: owner.email, field: 'new_password' });
    const hashedPassword = await this.#hasher.hash(password);
    return this.#db.transaction(async (tx) => {
      const now = this.#clock();
      const userId = await consumeToken(tx, parts, 'reset', now);
      const user = userId === undefined ? undefined : await updatePasswordHash(tx, userId, hashedPassword, now);
      if (user === undefined) throw new Problem('token_invalid');
      await removeSessionsOf(tx, user.id);
      return user;
    });
  }

  /**
   * Sets a password for the operator: ends all sessions and voids the pending tokens.
   * @throws {Problem} unknown_email.
   */
  async setPassword(email: string, password: string): Promise<User> {
    const address = requireEmailAddress(email);
    await this.#passwordRule(password, { email: address.text, field: 'password' });
    const hashedPassword = await this.#hasher.hash(password);
    return this.#db.transaction(async (tx) => {
      const found = await findUserByEmail(tx, address);
      const user = found && (await updatePasswordHash(tx, found.id, hashedPassword, this.#clock()));
      if (user === undefined) throw new Problem('unknown_email');
      await removeSessionsOf(tx, user.id);
      await removeTokensOf(tx, user.id);
      return user;
    });
  }

  /** Writes the sessions seen since the last time. */
  flushLastSeen(): Promise<void> {
    return this.#lastSeen.flush();
  }

  /** Removes expired sessions and tokens in small batches, and says how many rows went. */
  async purge(): Promise<number> {
    const now = this.#clock();
    const removeAll = async (remove: typeof removeExpiredSessions): Promise<number> => {
      let total = 0;
      for (let removed = purgeBatch; removed === purgeBatch; total += removed) removed = await remove(this.#db, now, purgeBatch);
      return total;
    };
    return (await removeAll(removeExpiredSessions)) + (await removeAll(removeExpiredTokens));
  }

  /** Writes what is pending and ends the hashing threads; the database stays its owner's to close. */
  async close(): Promise<void> {
    await this.#lastSeen.flush();
    await this.#hasher.close();
  }

  async #findUser(email: string): Promise<User | undefined> {
    const address = toEmailAddress(email);
    return address && findUserByEmail(this.#db, address);
  }

  /** The user whose password this is. An unknown user costs a verification as well: the time tells nothing. */
  async #verifyPassword(email: string, password: string): Promise<User | undefined> {
    const user = await this.#findUser(email);
    const { matches, outdated } = await this.#hasher.verify(user?.hashedPassword, password);
    if (user === undefined || !matches) return undefined;
    if (outdated && user.hashedPassword !== null) {
      await upgradeHash(this.#db, user.id, user.hashedPassword, await this.#hasher.hash(password));
    }
    return user;
  }

  async #createSessionOf(user: User): Promise<string | undefined> {
    const { id, secretHash, token } = createToken('session');
    const now = this.#clock();
    const { id: userId, passwordChangedAt } = user;
    const added = await this.#db.transaction(async (tx) => {
      if (!(await addSession(tx, { id, secretHash, userId, passwordChangedAt, now, expiresAt: now + this.#sessionMs }))) return false;
      await removeSessionsBeyond(tx, userId, this.#sessionsPerUser);
      return true;
    });
    return added ? token : undefined;
  }
}

function isSameAddress(a: string, b: string): boolean {
  const [first, second]: (EmailAddress | undefined)[] = [toEmailAddress(a), toEmailAddress(b)];
  return first !== undefined && first.key === second?.key;
}
