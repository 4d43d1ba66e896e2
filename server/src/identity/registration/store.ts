// Statements of the table `pending_registrations`.
import type { Database } from '../../db/database.ts';
import { insertForUser, removeExpired, removeOldest } from '../../db/row-builders.ts';
import { statementsFor } from '../../db/statement.ts';
import type { RegistrationTables } from './schema.ts';

const { statement } = statementsFor<RegistrationTables>();

/** A registration to add. */
export interface NewPendingRegistration {
  readonly id: string;
  readonly userId: number;
  readonly email: string;
  readonly hashedPassword: string | null;
  readonly factor: string | null;
  readonly credential: string | null;
  readonly browserHash: Uint8Array | null;
  readonly now: number;
  readonly expiresAt: number;
}

const insertRegistration = statement((sql, p: NewPendingRegistration) =>
  insertForUser(sql, 'pending_registrations', {
    userId: p.userId,
    values: {
      id: p.id,
      email: p.email,
      hashed_password: p.hashedPassword,
      factor: p.factor,
      credential: p.credential,
      browser_hash: p.browserHash,
      created_at: p.now,
      expires_at: p.expiresAt,
    },
  }).onConflict((conflict) =>
    conflict.columns(['user_id', 'browser_hash']).doUpdateSet((row) => ({
      id: row.ref('excluded.id'),
      email: row.ref('excluded.email'),
      hashed_password: row.ref('excluded.hashed_password'),
      factor: row.ref('excluded.factor'),
      credential: row.ref('excluded.credential'),
      created_at: row.ref('excluded.created_at'),
      expires_at: row.ref('excluded.expires_at'),
    })),
  ),
);

const deleteOldest = removeOldest('pending_registrations');

/**
 * Adds a registration, which replaces the one of the same browser, and removes all but the `kept` newest of the account.
 * Adds nothing if no user has the id. Inside a transaction.
 */
export async function addRegistration(
  tx: Database,
  registration: NewPendingRegistration,
  kept: number,
): Promise<void> {
  await tx.run(insertRegistration, registration);
  await tx.run(deleteOldest, {
    userId: registration.userId,
    newest: registration.id,
    others: kept - 1,
  });
}

/** A registration that can be confirmed. */
export interface PendingRegistration {
  readonly id: string;
  readonly email: string;
  readonly hashed_password: string | null;
  readonly factor: string | null;
  readonly credential: string | null;
  readonly browser_hash: Uint8Array | null;
  readonly created_at: number;
  readonly expires_at: number;
}

const columns = [
  'id',
  'email',
  'hashed_password',
  'factor',
  'credential',
  'browser_hash',
  'created_at',
  'expires_at',
] as const;

const selectByUser = statement((sql, p: { userId: number; now: number }) =>
  sql
    .selectFrom('pending_registrations')
    .select(columns)
    .where('user_id', '=', p.userId)
    .where('expires_at', '>', p.now)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc'),
);

/** Lists the registrations of an account, the newest first. */
export function listRegistrations(db: Database, userId: number, now: number): Promise<PendingRegistration[]> {
  return db.run(selectByUser, { userId, now });
}

const takeById = statement((sql, p: { id: string }) =>
  sql.deleteFrom('pending_registrations').where('id', '=', p.id).returning('id'),
);

/** Removes a registration once and atomically; returns false if it was removed or replaced. */
export async function takeRegistration(tx: Database, id: string): Promise<boolean> {
  return (await tx.first(takeById, { id })) !== undefined;
}

const deleteByUser = statement((sql, p: { userId: number }) =>
  sql.deleteFrom('pending_registrations').where('user_id', '=', p.userId),
);

/** Removes the registrations of an account. */
export async function removeRegistrationsOf(db: Database, userId: number): Promise<void> {
  await db.run(deleteByUser, { userId });
}

const setExpiry = statement((sql, p: { userId: number; until: number }) =>
  sql
    .updateTable('pending_registrations')
    .set({ expires_at: p.until })
    .where('user_id', '=', p.userId)
    .where('expires_at', '<', p.until),
);

/** Keeps the registrations of an account until the given instant at least. */
export async function extendRegistrations(db: Database, userId: number, until: number): Promise<void> {
  await db.run(setExpiry, { userId, until });
}

const deleteExpired = removeExpired('pending_registrations');

/** Removes up to `limit` expired registrations and returns how many. */
export async function removeExpiredRegistrations(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}
