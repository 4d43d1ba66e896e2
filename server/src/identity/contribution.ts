// What modules contribute to the rules: each is an array that a module pushes into before the first request.
import type { Database } from '../db/database.ts';

/**
 * What a `Revocable` holds: `sign_in` a session or a pending authentication, `device` a known browser, `token` a mailed
 * token that was not consumed yet, `grant` what the user gave to a program, as an API key.
 */
export type AccessKind = 'sign_in' | 'device' | 'token' | 'grant';

/** Something that a password or an address opened, and that ends with it. `AccountAccess` ends all of them. */
export interface Revocable {
  readonly kind: AccessKind;
  /** Ends all of the user's, except the one with this handle. Inside a transaction. */
  revokeAll(tx: Database, userId: number, options?: { readonly except?: string | undefined }): Promise<void>;
}

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
  /**
   * What is stored about the user, as JSON: instants as RFC 3339 text, without secrets.
   * @param sessionId handle of the session that asks.
   */
  exportOf(db: Database, userId: number, sessionId: string): Promise<unknown>;
}

/** Rows of one batch, so that a purge does not hold the only writer of SQLite for long. */
const purgeBatch = 500;

/** Removes everything that has expired, in batches, and returns how many rows. */
export async function purgeAll(purgeables: readonly Purgeable[]): Promise<number> {
  let total = 0;
  for (const purgeable of purgeables)
    for (let removed = purgeBatch; removed === purgeBatch; total += removed)
      removed = await purgeable.purge(purgeBatch);
  return total;
}
