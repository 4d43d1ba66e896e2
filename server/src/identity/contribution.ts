// Interfaces through which modules contribute to the rules. Modules push into arrays of these before the first request.
import { removeInBatches } from '../kit/batches.ts';
import type { TSchema } from 'typebox';
import type { Database } from '../db/database.ts';
import type { AuditSource } from '../audit/event.ts';
import type { User } from '../user/user.ts';

/** What a user may not do who can sign in, as two sentences of `user why`. */
export interface Denial {
  readonly means: string;
  readonly remedy: string;
}

/** Returns what a feature denies to a user. */
export type DenialSource = (db: Database, user: User) => Promise<readonly Denial[]>;

/**
 * What a `Revocable` holds: `sign_in` a session or a pending authentication, `device` a known browser, `token` a mailed
 * token that was not consumed yet, `registration` a registration that waits for the confirmation of its address, `grant`
 * access that the user gave to a program, such as an API key.
 */
export type AccessKind = 'sign_in' | 'device' | 'token' | 'registration' | 'grant';

export interface Revocation {
  /** All kinds if absent. */
  readonly kinds?: readonly AccessKind[];
  /** Handle of the session or pending authentication that stays. */
  readonly except?: string | undefined;
  /**
   * Unix milliseconds, if a takeover is undone: what was decided since then about the access of others was not decided by
   * the owner.
   */
  readonly since?: number | undefined;
}

/** Revokes the access to an account. The class AccountAccess does it. */
export interface AccessRevoker {
  /** Inside a transaction that has locked the user. */
  revoke(tx: Database, userId: number, revocation?: Revocation): Promise<void>;
}

/** Access that a password or an address gave and that ends with it. `AccountAccess` revokes all of it. */
export interface Revocable {
  readonly kind: AccessKind;
  /** Ends the user's access, except the one with this handle. `at` is in Unix milliseconds. Inside a transaction. */
  revokeAll(
    tx: Database,
    userId: number,
    options: Pick<Revocation, 'except' | 'since'> & { readonly at: number },
  ): Promise<void>;
}

/**
 * Why sessions end: `ended` by their user or the operator, `revoked` with the other access of the account, `replaced` by
 * a sign-in in the same browser, `limit` because the user has too many, `expired` at its maximum age or idle limit.
 */
export type SessionEndReason = 'ended' | 'revoked' | 'replaced' | 'limit' | 'expired';

export interface EndedSession {
  /** Handle of the session. */
  readonly id: string;
  readonly userId: number;
}

/** Sessions that end together. */
export interface EndedSessions {
  /** At least one. */
  readonly sessions: readonly EndedSession[];
  readonly reason: SessionEndReason;
  /** Unix milliseconds. */
  readonly at: number;
}

/**
 * Reacts to the end of sessions inside the transaction that ends them, while their rows still exist: rows that refer to a
 * session by a foreign key with `on delete cascade` can still be read. The transaction has locked the rows of the
 * sessions, so it runs once for each session, and it must lock the rows that it reads if others are added to them without
 * a reference to the session. If it throws, the sessions do not end.
 */
export type SessionEnding = (tx: Database, ended: EndedSessions) => Promise<void>;

/** Rows that expire. */
export interface Purgeable {
  /** For the log. */
  readonly name: string;
  /** Removes up to `limit` expired rows and returns how many. */
  purge(limit: number): Promise<number>;
}

/** A member of the copy of their data that users can download (GDPR articles 15 and 20). */
export interface PersonalData {
  /** Name of the member in the JSON document. */
  readonly name: string;
  /** Its form, for the description of the API; any value by default. */
  readonly schema?: TSchema;
  /**
   * Returns what is stored about the user, as JSON: instants as RFC 3339 text, without secrets.
   * @param sessionId handle of the requesting session.
   */
  exportOf(db: Database, userId: number, sessionId: string): Promise<unknown>;
}

/** Accounts that their users closed and may still reopen. */
export interface ClosedAccounts {
  /** Path of the page that reopens an account. */
  readonly path: string;
  /** Returns true if the user may still reopen the account. Called for a closed account. */
  isReopenable(db: Database, user: User): Promise<boolean>;
  /**
   * Returns a token with which that page reopens the account of a user who has signed in otherwise. Inside a transaction
   * that has locked the user.
   */
  offer(tx: Database, user: User, source: AuditSource): Promise<string>;
}

/** Removes all expired rows in batches and returns how many. */
export async function purgeAll(purgeables: readonly Purgeable[]): Promise<number> {
  let total = 0;
  for (const purgeable of purgeables) total += await removeInBatches((limit) => purgeable.purge(limit));
  return total;
}
