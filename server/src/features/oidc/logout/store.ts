// Statements of the table `oidc_logouts`, the outbox of back-channel logout.
import type { Selectable } from 'kysely';
import type { Database } from '../../../db/database.ts';
import { removeExpired } from '../../../db/row-builders.ts';
import { statementsFor } from '../../../db/statement.ts';
import type { LogoutTable, LogoutTables } from './schema.ts';

const { statement } = statementsFor<LogoutTables>();

export type LogoutRow = Selectable<LogoutTable>;

const columns = [
  'id',
  'client_id',
  'subject',
  'sid',
  'uri',
  'alg',
  'created_at',
  'next_at',
  'expires_at',
  'attempts',
  'last_error',
  'given_up_at',
] as const;

interface NewLogout {
  readonly id: string;
  readonly clientId: string;
  readonly subject: string;
  readonly sid: string | null;
  readonly uri: string;
  readonly alg: string;
  readonly now: number;
  readonly expiresAt: number;
}

const insertLogout = statement((sql, p: NewLogout) =>
  sql
    .insertInto('oidc_logouts')
    .values({
      id: p.id,
      client_id: p.clientId,
      subject: p.subject,
      sid: p.sid,
      uri: p.uri,
      alg: p.alg,
      created_at: p.now,
      next_at: p.now,
      expires_at: p.expiresAt,
      attempts: 0,
      last_error: null,
      given_up_at: null,
    })
    // A session of a client that is used again after a logout has the same `sid`. The attempts begin again, under a new
    // id, so that a delivery of the earlier one that is under way does not remove the row.
    .onConflict((conflict) =>
      conflict.columns(['client_id', 'sid']).where('sid', 'is not', null).doUpdateSet({
        id: p.id,
        subject: p.subject,
        uri: p.uri,
        alg: p.alg,
        created_at: p.now,
        next_at: p.now,
        expires_at: p.expiresAt,
        attempts: 0,
        last_error: null,
        given_up_at: null,
      }),
    ),
);

/**
 * Adds a logout. One that is stored for the same session of the client is replaced. Inside the transaction of its
 * cause.
 */
export async function addLogout(tx: Database, logout: NewLogout): Promise<void> {
  await tx.run(insertLogout, logout);
}

const selectDue = statement((sql, p: { now: number }) =>
  sql
    .selectFrom('oidc_logouts')
    .select('id')
    .where('given_up_at', 'is', null)
    .where('next_at', '<=', p.now)
    .limit(1),
);

/** Returns whether a logout is due. It does not occupy the writer. */
export async function hasDueLogout(db: Database, now: number): Promise<boolean> {
  return (await db.first(selectDue, { now })) !== undefined;
}

const claim = statement((sql, p: { now: number; leaseUntil: number; limit: number }) =>
  sql
    .updateTable('oidc_logouts')
    .set((row) => ({ next_at: p.leaseUntil, attempts: row('attempts', '+', 1) }))
    .where('id', 'in', (nested) =>
      nested
        .selectFrom('oidc_logouts')
        .select('id')
        .where('given_up_at', 'is', null)
        .where('next_at', '<=', p.now)
        .orderBy('next_at')
        .limit(p.limit),
    )
    // Repeated here, where PostgreSQL checks it again after waiting for another instance that claimed the same row.
    .where('next_at', '<=', p.now)
    .returning(columns),
);

/** Claims due logouts, so that no other instance delivers them before the lease ends, and returns them. */
export function claimLogouts(
  db: Database,
  claimed: { now: number; leaseUntil: number; limit: number },
): Promise<LogoutRow[]> {
  return db.run(claim, claimed);
}

const deleteDelivered = statement((sql, p: { id: string }) =>
  sql.deleteFrom('oidc_logouts').where('id', '=', p.id),
);

/** Removes a delivered logout. */
export async function removeLogout(db: Database, id: string): Promise<void> {
  await db.run(deleteDelivered, { id });
}

const setFailed = statement((sql, p: { id: string; nextAt: number; error: string }) =>
  sql.updateTable('oidc_logouts').set({ next_at: p.nextAt, last_error: p.error }).where('id', '=', p.id),
);

/** Stores the error of a failed attempt and the time of the next one. */
export async function updateFailed(
  db: Database,
  failed: { id: string; nextAt: number; error: string },
): Promise<void> {
  await db.run(setFailed, failed);
}

const setGivenUp = statement((sql, p: { id: string; now: number; expiresAt: number; error: string }) =>
  sql
    .updateTable('oidc_logouts')
    .set({ given_up_at: p.now, expires_at: p.expiresAt, last_error: p.error })
    .where('id', '=', p.id),
);

/** Stores that no further attempt is made. */
export async function updateGivenUp(
  db: Database,
  givenUp: { id: string; now: number; expiresAt: number; error: string },
): Promise<void> {
  await db.run(setGivenUp, givenUp);
}

const setDue = statement((sql, p: { id: string; now: number; expiresAt: number }) =>
  sql
    .updateTable('oidc_logouts')
    .set({ next_at: p.now, expires_at: p.expiresAt, attempts: 0, given_up_at: null })
    .where('id', '=', p.id)
    .returning('id'),
);

/** Begins the attempts again. Returns false if no logout has the id. */
export async function retryLogout(
  db: Database,
  retried: { id: string; now: number; expiresAt: number },
): Promise<boolean> {
  return (await db.first(setDue, retried)) !== undefined;
}

const selectNewest = statement((sql, p: { limit: number }) =>
  sql
    .selectFrom('oidc_logouts')
    .select(columns)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(p.limit),
);

/** Returns logouts that were not delivered, newest first: those that are tried again, and the abandoned. */
export function listLogouts(db: Database, limit: number): Promise<LogoutRow[]> {
  return db.run(selectNewest, { limit });
}

const deleteExpired = removeExpired('oidc_logouts');

/** Removes up to `limit` logouts whose time is over and returns how many. */
export async function removeExpiredLogouts(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}
