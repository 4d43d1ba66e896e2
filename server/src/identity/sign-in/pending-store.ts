// Statements of the table `pending_logins`: the first factor was verified, the second is required.
import type { Database } from '../../db/database.ts';
import { insertForUser, removeExpired } from '../../db/row-builders.ts';
import { statementsFor } from '../../db/statement.ts';
import type { NewToken, TokenParts } from '../../kit/secret.ts';
import type { SignInTables } from './schema.ts';
import type { UserTables } from '../../user/schema.ts';

/** Tables of the statements in this file. */
type Tables = SignInTables & UserTables;
const { statement } = statementsFor<Tables>();

type NewPendingAuthentication = Pick<NewToken, 'id' | 'secretHash'> & {
  userId: number;
  demand: string;
  factors: string;
  passwordChangedAt: number;
  /** 1 or 0. */
  endsWithBrowser: number;
  now: number;
  expiresAt: number;
};

/**
 * Decides in the WHERE: adds no row if the password has changed since it was verified, or the user was removed or
 * disabled. A closed account that can still be reopened is not disabled here.
 */
const insertPending = statement((sql, p: NewPendingAuthentication) =>
  insertForUser(sql, 'pending_logins', {
    userId: p.userId,
    passwordChangedAt: p.passwordChangedAt,
    closedAfter: p.now,
    values: {
      id: p.id,
      secret_hash: p.secretHash,
      demand: p.demand,
      factors: p.factors,
      created_at: p.now,
      expires_at: p.expiresAt,
      password_changed_at: p.passwordChangedAt,
      ends_with_browser: p.endsWithBrowser,
    },
  }).returning('id'),
);

/** Adds a pending authentication; returns false if the verified password is no longer the user's. */
export async function addPendingAuthentication(
  db: Database,
  login: NewPendingAuthentication,
): Promise<boolean> {
  return (await db.first(insertPending, login)) !== undefined;
}

/** A pending authentication and its user. */
export interface PendingAuthenticationRow {
  readonly id: string;
  readonly user_id: number;
  readonly email: string;
  readonly demand: string;
  readonly factors: string;
  readonly password_changed_at: number;
  readonly ends_with_browser: number;
}

const selectPending = statement((sql, p: TokenParts & { now: number }) =>
  sql
    .selectFrom('pending_logins')
    .innerJoin('users', 'users.id', 'pending_logins.user_id')
    .select([
      'pending_logins.id',
      'pending_logins.user_id',
      'users.email',
      'pending_logins.demand',
      'pending_logins.factors',
      'pending_logins.password_changed_at',
      'pending_logins.ends_with_browser',
    ])
    .where('pending_logins.id', '=', p.id)
    .where('pending_logins.secret_hash', '=', p.secretHash)
    .where('pending_logins.expires_at', '>', p.now)
    // The user of a closed account may give the second factor, to keep the account.
    .where((row) => row.or([row('users.disabled_at', 'is', null), row('users.delete_at', '>', p.now)])),
);

/** Returns a live pending authentication. It may end at any time: only `consumePendingAuthentication` decides. */
export function findPendingAuthentication(
  db: Database,
  parts: TokenParts,
  now: number,
): Promise<PendingAuthenticationRow | undefined> {
  return db.first(selectPending, { ...parts, now });
}

const takePending = statement((sql, p: { id: string; now: number }) =>
  sql.deleteFrom('pending_logins').where('id', '=', p.id).where('expires_at', '>', p.now).returning('id'),
);

/** Consumes a pending authentication once and atomically; returns false if it has already ended. */
export async function consumePendingAuthentication(db: Database, id: string, now: number): Promise<boolean> {
  return (await db.first(takePending, { id, now })) !== undefined;
}

const deleteByUser = statement((sql, p: { userId: number }) =>
  sql.deleteFrom('pending_logins').where('user_id', '=', p.userId),
);

/** Removes all pending authentications of a user. */
export async function removePendingAuthenticationsOf(db: Database, userId: number): Promise<void> {
  await db.run(deleteByUser, { userId });
}

const deleteOthers = statement((sql, p: { userId: number; kept: string }) =>
  sql.deleteFrom('pending_logins').where('user_id', '=', p.userId).where('id', '<>', p.kept),
);

/** Removes the user's pending authentications except one. */
export async function removeOtherPendingAuthenticationsOf(
  db: Database,
  userId: number,
  kept: string,
): Promise<void> {
  await db.run(deleteOthers, { userId, kept });
}

const deleteExpired = removeExpired('pending_logins');

/** Removes up to `limit` expired ones and returns how many. */
export async function removeExpiredPendingAuthentications(
  db: Database,
  now: number,
  limit: number,
): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}
