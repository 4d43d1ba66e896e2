// The engine's model of a session as a view of ours: it stores nothing but which clients a session uses. Tokens refer to
// the session by a foreign key and end with it.
import { randomBytes } from 'node:crypto';
import type { AdapterPayload } from 'oidc-provider';
import { secondMs, type Clock } from '../../../kit/clock.ts';
import type { Database } from '../../../db/database.ts';
import type { Details } from '../../../identity/details/details.ts';
import type { FactorUse } from '../../../identity/factor/factor-use.ts';
import type { Session } from '../../../identity/session/session-entry.ts';
import {
  findSessionByUid,
  findUid,
  saveSessionClient,
  uidOfSession,
  type SessionClient,
} from '../grant/session-store.ts';
import { proofOf, reachedAcrs, type Proof, type Proofs } from './acr.ts';
import { sidOf } from './sid.ts';

/** Finds sessions. The class Sessions does it. */
interface SessionFinder {
  find(token: string): Promise<Session | undefined>;
  findByHandle(id: string, options?: { readonly isUse?: boolean }): Promise<Session | undefined>;
  readonly life: { readonly idleMs: number };
  factorsOf(db: Database, id: string): Promise<FactorUse[]>;
}

export interface SessionViewParts {
  readonly db: Database;
  readonly clock: Clock;
  readonly sessions: SessionFinder;
  readonly secondFactors: Proofs & { methodsOf(uses: readonly FactorUse[]): string[] };
  readonly details: Pick<Details, 'subjectOf'>;
}

/** How a user authenticated in a session. */
export interface Authentication extends Proof {
  readonly subject: string;
  /** RFC 8176. */
  readonly amr: string[];
  readonly acr: string | undefined;
}

const uidBytes = 16;

/** The session of a token, and the grant under which it was issued. */
export interface TokenSession {
  readonly sessionId: string;
  readonly uid: string;
  readonly clientId: string;
  readonly grantId: string;
}

export class SessionView {
  readonly #parts: SessionViewParts;

  constructor(parts: SessionViewParts) {
    this.#parts = parts;
  }

  /** Returns how the user of a session authenticated; `undefined` if the user was removed. */
  async authenticationOf(session: Session): Promise<Authentication | undefined> {
    const { db, sessions, secondFactors, details } = this.#parts;
    const subject = await details.subjectOf(session);
    if (subject === undefined) return undefined;
    const uses = await sessions.factorsOf(db, session.id);
    const amr = secondFactors.methodsOf(uses);
    const proof = await proofOf(secondFactors, { userId: session.userId, amr }, uses);
    return { subject, amr, acr: reachedAcrs(amr)[0], ...proof };
  }

  /** Returns the uid of a session; `undefined` if no request of an application has reached it. */
  uidOf({ id }: Pick<Session, 'id'>): Promise<string | undefined> {
    return findUid(this.#parts.db, id);
  }

  /** Returns whether an ID token for a client was issued in a session. Without a `sid` the user is compared. */
  async hasIssued(
    session: Session,
    {
      clientId,
      subject,
      sid,
    }: { readonly clientId: string; readonly subject: string; readonly sid?: string },
  ): Promise<boolean> {
    const { db, details } = this.#parts;
    if ((await details.subjectOf(session)) !== subject) return false;
    if (sid === undefined) return true;
    const uid = await findUid(db, session.id);
    return uid !== undefined && sidOf(uid, clientId) === sid;
  }

  /** Returns the session of a session token, as the engine stores it. */
  async find(token: string): Promise<AdapterPayload | undefined> {
    const { db, clock, sessions } = this.#parts;
    const session = await sessions.find(token);
    if (session === undefined) return undefined;
    const fresh = randomBytes(uidBytes).toString('base64url');
    const uid = await uidOfSession(db, { uid: fresh, sessionId: session.id, now: clock() });
    if (uid === undefined) return undefined; // it ended just now
    const clients = (await findSessionByUid(db, uid))?.clients ?? [];
    return this.#payloadOf(session, { uid, clients, jti: token });
  }

  /** Returns the session that a token refers to. */
  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    const { db, sessions, details } = this.#parts;
    const found = await findSessionByUid(db, uid);
    const session = found && (await sessions.findByHandle(found.sessionId));
    if (found === undefined || session === undefined) return undefined;
    const accountId = await details.subjectOf(session);
    return {
      ...frame,
      kind: 'Session',
      jti: uid,
      uid,
      accountId,
      authorizations: authorizationsOf(found.clients),
    };
  }

  /**
   * Returns the live session of a token under a grant, as the engine stores it, and when it ends if it is not used again
   * (Unix milliseconds); `undefined` if it has ended.
   * @param isUse It counts as a use of the session.
   */
  async findOfToken(
    { sessionId, uid, clientId, grantId }: TokenSession,
    isUse: boolean,
  ): Promise<{ readonly payload: AdapterPayload; readonly endsAt: number } | undefined> {
    const { clock, sessions, details } = this.#parts;
    const session = await sessions.findByHandle(sessionId, { isUse });
    if (session === undefined) return undefined;
    const accountId = await details.subjectOf(session);
    const authorizations = { [clientId]: { grantId } };
    return {
      payload: { ...frame, kind: 'Session', jti: uid, uid, accountId, authorizations },
      endsAt: Math.min(session.expiresAt, clock() + sessions.life.idleMs),
    };
  }

  /**
   * Returns the change that stores which clients the session uses; `undefined` if nothing changes.
   * @param known Grants by client that are stored.
   */
  saveOf(
    { uid, authorizations = {} }: AdapterPayload,
    known: ReadonlyMap<string, string | null> = new Map(),
  ): ((tx: Database) => Promise<void>) | undefined {
    const clients = Object.entries(authorizations).flatMap(([clientId, { sid, grantId = null }]) =>
      sid === undefined || known.get(clientId) === grantId ? [] : [{ clientId, sid, grantId }],
    );
    if (uid === undefined || clients.length === 0) return undefined;
    return async (tx) => {
      for (const client of clients) await saveSessionClient(tx, { ...client, uid });
    };
  }

  async #payloadOf(
    session: Session,
    {
      uid,
      clients,
      jti,
    }: { readonly uid: string; readonly clients: readonly SessionClient[]; readonly jti: string },
  ): Promise<AdapterPayload | undefined> {
    const authentication = await this.authenticationOf(session);
    if (authentication === undefined) return undefined;
    const { subject: accountId, amr, acr, at = 0 } = authentication;
    return {
      ...frame,
      kind: 'Session',
      jti,
      uid,
      accountId,
      amr,
      ...(acr !== undefined && { acr }),
      loginTs: Math.floor(at / secondMs),
      authorizations: authorizationsOf(clients),
    };
  }
}

/** The end of a session is decided by `Sessions`; the engine compares this with the clock of the machine. */
const frame = {
  get exp(): number {
    return Math.floor(Date.now() / secondMs) + 3600;
  },
};

function authorizationsOf(clients: readonly SessionClient[]): NonNullable<AdapterPayload['authorizations']> {
  return Object.fromEntries(
    clients.map(({ clientId, sid, grantId }) => [clientId, { sid, ...(grantId !== null && { grantId }) }]),
  );
}
