// Creates sessions for users whose factors were verified, finds them by token at each request, and ends them.
import { hourMs, minuteMs, type Clock } from '../../kit/clock.ts';
import { Problem } from '../../kit/problem.ts';
import { createToken, equalDigests, parseToken } from '../../kit/secret.ts';
import type { Database } from '../../db/database.ts';
import type { EmailAddress } from '../../user/email-address.ts';
import { findUserByEmail, findUserById, updateSignedIn } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import { sessionKind } from '../cookie-kinds.ts';
import { formatFactors, withFactor, parseFactors, type FactorUse } from '../factor/factor-use.ts';
import { sessionEvents } from './event.ts';
import type { ListedSession, RenewedSession, Session } from './session-entry.ts';
import { seenGranularityMs, SeenSessions } from './seen-sessions.ts';
import {
  addSession,
  findFactors,
  findSession,
  listSessions,
  replaceSession,
  type SessionRow,
} from './store.ts';
import { SessionEndings, type EndingNeeds } from './ending.ts';
import './problem.ts';

/** Names the authentication methods of a session (RFC 8176). The class SecondFactors does it. */
interface AuthenticationMethods {
  methodsOf(uses: readonly FactorUse[]): string[];
}

export interface SessionNeeds extends EndingNeeds {
  readonly methods: AuthenticationMethods;
}

export interface SessionLife {
  /** Absolute life in milliseconds. */
  readonly sessionMs: number;
  /** Life without a request in milliseconds. */
  readonly idleMs: number;
  /** Sessions of one user; a new one replaces the oldest. */
  readonly perUser: number;
}

/** A session to add. */
interface NewSession {
  /** The factors that were verified for it. */
  readonly uses?: readonly FactorUse[];
  /** The session that it replaces, also one of another user. */
  readonly replaced?: Session | undefined;
  readonly source: ClientSource;
}

/** Longest life of a session that ends with its browser: browsers that restore their tabs keep its cookie. */
const browserSessionMs = 12 * hourMs;
/** How long another instance may know that a session was used before it has written so. */
const seenLagMs = minuteMs;
/** Characters of a user agent that are stored. */
const deviceCharacters = 500;

/** Creates, finds, renews, lists and ends sessions. */
export class Sessions {
  readonly name = 'sessions';
  readonly kind = 'sign_in';
  readonly life: SessionLife;
  readonly #context: AuthContext;
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #methods: AuthenticationMethods;
  readonly #endings: SessionEndings;
  readonly #seen: SeenSessions;

  constructor(context: AuthContext, needs: SessionNeeds, life: SessionLife) {
    this.#context = context;
    this.#db = context.db;
    this.life = life;
    this.#methods = needs.methods;
    this.#clock = context.clock;
    this.#endings = new SessionEndings(context, needs);
    this.#seen = new SeenSessions(context, (id) => this.#endings.endPresented(id));
  }

  /**
   * Adds a session and returns its token; `undefined` if the password has changed since `user` was read, or the user
   * was removed or disabled. Ends `replaced`, the previous session of the browser, and the oldest ones beyond the limit.
   * Inside a transaction.
   */
  async add(
    tx: Database,
    user: User,
    { uses = [], replaced, source }: NewSession,
  ): Promise<string | undefined> {
    const { id, secretHash, token } = createToken(sessionKind);
    const { id: userId, passwordChangedAt } = user;
    const now = this.#clock();
    const { device, address = null, endsWithBrowser = false } = source;
    const { sessionMs } = this.life;
    const expiresAt = now + (endsWithBrowser ? Math.min(browserSessionMs, sessionMs) : sessionMs);
    const isAdded = await addSession(tx, {
      id,
      secretHash,
      userId,
      passwordChangedAt,
      now,
      expiresAt,
      factors: formatFactors(uses),
      device: device?.slice(0, deviceCharacters) ?? null,
      address,
      endsWithBrowser: Number(endsWithBrowser),
    });
    if (!isAdded) return undefined;
    await updateSignedIn(tx, userId, now);
    // Before the limit is applied: otherwise a session on another device would end in its place.
    if (replaced !== undefined) await this.#endings.endReplaced(tx, replaced.id, source);
    await this.#endings.endBeyond(tx, userId, { newest: id, kept: this.life.perUser }, source);
    return token;
  }

  /** Records that a session of the user was created. Inside the transaction of `add`. */
  recordCreation(tx: Database, user: User, source: ClientSource): Promise<void> {
    return this.#context.events.emit(tx, sessionEvents.session_created, { user, source });
  }

  /** Returns the live session of a token; `undefined` for a null, empty, malformed, unknown, ended or expired one. */
  async find(token: string | null | undefined, db: Database = this.#db): Promise<Session | undefined> {
    const parts = parseToken(sessionKind, token);
    if (parts === undefined) return undefined;
    const row = await findSession(db, parts.id);
    if (row === undefined || !equalDigests(row.secret_hash, parts.secretHash)) return undefined;
    if (!this.#isLive(row)) {
      this.#seen.noteExpired(row.lookup_key);
      return undefined;
    }
    this.#seen.note(row.lookup_key, row.last_seen_at);
    return toSession(row);
  }

  /**
   * Returns the live session with this handle, for a module that stores handles; `undefined` if it has ended. It does not
   * count as a use of the session, unless `isUse` is true.
   */
  async findByHandle(
    id: string,
    { isUse = false }: { readonly isUse?: boolean } = {},
  ): Promise<Session | undefined> {
    const row = await findSession(this.#db, id);
    if (row === undefined || !this.#isLive(row)) return undefined;
    if (isUse) this.#seen.note(row.lookup_key, row.last_seen_at);
    return toSession(row);
  }

  #isLive(row: SessionRow): boolean {
    const now = this.#clock();
    return row.expires_at > now && row.last_seen_at + this.life.idleMs > now;
  }

  /** Returns the factors that were verified for a session. */
  async factorsOf(db: Database, id: string): Promise<FactorUse[]> {
    return parseFactors((await findFactors(db, id)) ?? '[]');
  }

  /**
   * Gives a session a new handle and token, and adds a factor if one was given; the previous token stops working (OWASP
   * ASVS 5.0 §7.2.4). Call it for each step-up and each change of a credential: a copy of the previous token must not
   * outlive them. Inside a transaction.
   * @throws {Problem} session_required if the session has ended, also by a concurrent renewal.
   */
  async renew(tx: Database, session: Session, given?: Omit<FactorUse, 'at'>): Promise<RenewedSession> {
    const { id } = session;
    const uses = await this.factorsOf(tx, id);
    const { id: newId, secretHash, token } = createToken(sessionKind);
    const factors = formatFactors(
      given === undefined ? uses : withFactor(uses, { ...given, at: this.#clock() }),
    );
    if (!(await replaceSession(tx, { id, newId, secretHash, factors })))
      throw new Problem('session_required');
    return { ...session, id: newId, token };
  }

  /**
   * Keeps a session from ending until the transaction has ended. Call it in a change with which a thief could keep or
   * close the account and that does not renew the session: one that has ended since the request read it, as by a reset of
   * the password, must not make that change.
   * @throws {Problem} session_required if the session has ended.
   */
  async hold(tx: Database, { id }: Pick<Session, 'id'>): Promise<void> {
    if (!(await this.#endings.hold(tx, id))) throw new Problem('session_required');
  }

  /**
   * Creates a session of this user without a factor. Returns its token; `undefined` for an unknown or disabled user,
   * and for an address that must be confirmed first.
   */
  async create(address: EmailAddress, source: ClientSource): Promise<string | undefined> {
    const { db, emailConfirmation } = this.#context;
    const user = await findUserByEmail(db, address);
    if (user === undefined || (emailConfirmation && user.emailVerifiedAt === null)) return undefined;
    return db.transaction(async (tx) => {
      const token = await this.add(tx, user, { source });
      if (token !== undefined) await this.recordCreation(tx, user, source);
      return token;
    });
  }

  /** Returns the current user of a session. @throws {Problem} session_required if the account was removed. */
  async userOf({ userId }: Pick<Session, 'userId'>): Promise<User> {
    const user = await findUserById(this.#db, userId);
    if (user === undefined) throw new Problem('session_required');
    return user;
  }

  /** Ends every session of the user and the access of programs; an unknown id does nothing. */
  async endAll(userId: number, source: ClientSource): Promise<void> {
    if (!Number.isSafeInteger(userId)) return; // belongs to no user, and PostgreSQL would reject the number
    await this.#endings.endAll(userId, source);
  }

  /** Ends one session by its handle; returns false if no session has it. */
  end(id: string, source: ClientSource): Promise<boolean> {
    return this.#endings.end(id, source);
  }

  /** Ends another session of the session's user; returns false if the user has no session with this handle. */
  endOwn({ userId }: Session, id: string, source: ClientSource): Promise<boolean> {
    return this.#endings.end(id, source, userId);
  }

  /**
   * Ends all other sessions of the session's user and the access that the user gave to programs. Returns the number of
   * sessions.
   */
  endOthers({ userId, id }: Session, source: ClientSource): Promise<number> {
    return this.#endings.endAll(userId, source, id);
  }

  /** See Revocable. */
  revokeAll(tx: Database, userId: number, { except }: { except?: string | undefined } = {}): Promise<void> {
    return this.#endings.revoke(tx, userId, except);
  }

  /** Lists live sessions of one user, or of all users, newest first. */
  async list(userId: number | undefined, limit: number): Promise<ListedSession[]> {
    const now = this.#clock();
    const rows = await listSessions(this.#db, { userId, now, seenSince: now - this.life.idleMs, limit });
    return rows.map((row) => {
      const uses = parseFactors(row.factors);
      const isActive = now - row.last_seen_at < seenGranularityMs;
      return { ...row, uses, isActive, amr: this.#methods.methodsOf(uses) };
    });
  }

  /** Writes the last use of the sessions that were used since the previous call. */
  flush(): Promise<void> {
    return this.#seen.flush();
  }

  /**
   * Ends up to `limit` sessions that have reached their maximum age or their idle limit and returns how many. An idle one
   * ends a minute later than `find` rejects it, because another instance may not have written its last use yet.
   */
  async purge(limit: number): Promise<number> {
    await this.flush();
    return this.#endings.purge(limit, this.life.idleMs + seenLagMs);
  }
}

function toSession(row: SessionRow): Session {
  return {
    id: row.lookup_key,
    userId: row.user_id,
    email: row.email,
    subject: row.subject,
    name: row.name,
    expiresAt: row.expires_at,
    endsWithBrowser: row.ends_with_browser === 1,
  };
}
