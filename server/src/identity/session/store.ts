// The sessions table.
import type { Database } from '../../db/database.ts';
import type { Sql } from '../../db/engine.ts';
import { insertForUser, removeExpired, removeOldest } from '../../db/row-builders.ts';
import { statementsFor } from '../../db/statement.ts';
import type { NewToken } from '../../kit/secret.ts';
import type { SessionTables } from './schema.ts';
import type { UserTables } from '../../user/schema.ts';

/** The tables of the statements below. */
type Tables = SessionTables & UserTables;
const { lookup, statement } = statementsFor<Tables>();

/** A session and its user, as the check of every request sees them. */
export interface SessionRow {
  readonly lookup_key: string;
  readonly secret_hash: Uint8Array;
  readonly user_id: number;
  readonly email: string;
  readonly last_seen_at: number;
  readonly expires_at: number;
}

/** The hot query: one join by primary key. The user's row is part of it, so that what ends a user ends its sessions. */
const selectSession = lookup<SessionRow>((sql, isKey) =>
  sql
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .select([
      'sessions.id as lookup_key',
      'sessions.secret_hash',
      'sessions.user_id',
      'sessions.last_seen_at',
      'sessions.expires_at',
      'users.email',
    ])
    .where('users.disabled_at', 'is', null)
    .where(isKey('sessions.id')),
);

export function findSession(db: Database, id: string): Promise<SessionRow | undefined> {
  return db.find(selectSession, id);
}

type NewSession = Pick<NewToken, 'id' | 'secretHash'> & {
  userId: number;
  passwordChangedAt: number;
  now: number;
  expiresAt: number;
  factors: string;
  device: string | null;
};

/** Adds nothing when the password has changed since it was verified, or the user is gone or disabled. */
const insertSession = statement((sql, p: NewSession) =>
  insertForUser(sql, 'sessions', {
    userId: p.userId,
    passwordChangedAt: p.passwordChangedAt,
    values: {
      id: p.id,
      secret_hash: p.secretHash,
      created_at: p.now,
      last_seen_at: p.now,
      expires_at: p.expiresAt,
      factors: p.factors,
      device: p.device,
    },
  }).returning('id'),
);

/** Adds a session for the password that was verified; false when that password is no longer the user's. */
export async function addSession(db: Database, session: NewSession): Promise<boolean> {
  return (await db.first(insertSession, session)) !== undefined;
}

const selectFactors = statement((sql, p: { id: string }) =>
  sql.selectFrom('sessions').select('factors').where('id', '=', p.id),
);

/** The factors of a session, as they are stored. */
export async function findFactors(db: Database, id: string): Promise<string | undefined> {
  return (await db.first(selectFactors, { id }))?.factors;
}

type Replacement = { id: string; newId: string; secretHash: Uint8Array; factors: string };

const renameSession = statement((sql, p: Replacement) =>
  sql
    .updateTable('sessions')
    .set({ id: p.newId, secret_hash: p.secretHash, factors: p.factors })
    .where('id', '=', p.id)
    .returning('id'),
);

/** Gives a session another handle, secret and factors, once: of two at a time the second finds none. */
export async function replaceSession(db: Database, replacement: Replacement): Promise<boolean> {
  return (await db.first(renameSession, replacement)) !== undefined;
}

const deleteOldest = removeOldest('sessions');

/** Ends the oldest sessions of a user beyond the given number. The newest is named: clocks go back. */
export async function removeSessionsBeyond(
  db: Database,
  userId: number,
  newest: string,
  kept: number,
): Promise<void> {
  await db.run(deleteOldest, { userId, newest, others: kept - 1 });
}

const deleteById = statement((sql, p: { id: string }) =>
  sql.deleteFrom('sessions').where('id', '=', p.id).returning('user_id'),
);

/** Ends one session and says whose it was; `undefined` when there was none. */
export async function removeSession(db: Database, id: string): Promise<number | undefined> {
  return (await db.first(deleteById, { id }))?.user_id;
}

const deleteOwn = statement((sql, p: { id: string; userId: number }) =>
  sql.deleteFrom('sessions').where('id', '=', p.id).where('user_id', '=', p.userId).returning('id'),
);

/** Ends one session of the user's; false when the user has none of this handle. */
export async function removeOwnSession(db: Database, userId: number, id: string): Promise<boolean> {
  return (await db.first(deleteOwn, { id, userId })) !== undefined;
}

const deleteByUser = statement((sql, p: { userId: number }) =>
  sql.deleteFrom('sessions').where('user_id', '=', p.userId).returning('id'),
);

/** Ends every session of a user and says how many there were. */
export async function removeSessionsOf(db: Database, userId: number): Promise<number> {
  return (await db.run(deleteByUser, { userId })).length;
}

const deleteOthers = statement((sql, p: { userId: number; kept: string }) =>
  sql.deleteFrom('sessions').where('user_id', '=', p.userId).where('id', '<>', p.kept).returning('id'),
);

/** Ends every session of a user but one, and says how many. */
export async function removeOtherSessionsOf(db: Database, userId: number, kept: string): Promise<number> {
  return (await db.run(deleteOthers, { userId, kept })).length;
}

/** A session without its secret, for the operator and the owner. */
export interface SessionSummary {
  readonly id: string;
  readonly user_id: number;
  readonly email: string;
  readonly created_at: number;
  readonly last_seen_at: number;
  readonly expires_at: number;
  /** As the session has them: parseFactors reads them. */
  readonly factors: string;
  readonly device: string | null;
}

/** Which sessions are listed: live ones alone, so those that were seen since the idle life began. */
export interface SessionFilter {
  readonly userId: number | undefined;
  readonly now: number;
  readonly seenSince: number;
  readonly limit: number;
}

/** Live sessions of one user, or of all, newest first. */
export function listSessions(
  db: Database,
  { userId, now, seenSince, limit }: SessionFilter,
): Promise<SessionSummary[]> {
  return db.query((sql: Sql<Tables>) => {
    const query = sql
      .selectFrom('sessions')
      .innerJoin('users', 'users.id', 'sessions.user_id')
      .select([
        'sessions.id',
        'user_id',
        'email',
        'sessions.created_at',
        'last_seen_at',
        'expires_at',
        'factors',
        'device',
      ])
      .where('expires_at', '>', now)
      .where('last_seen_at', '>', seenSince)
      .orderBy('sessions.created_at', 'desc')
      .limit(limit);
    return userId === undefined ? query : query.where('user_id', '=', userId);
  });
}

/** Notes that sessions were seen; never moves the instant back. */
export async function noteSeen(db: Database, ids: readonly string[], now: number): Promise<void> {
  await db.query((sql: Sql<Tables>) =>
    sql
      .updateTable('sessions')
      .set({ last_seen_at: now })
      .where('id', 'in', ids)
      .where('last_seen_at', '<', now),
  );
}

const deleteExpired = removeExpired('sessions');

/** Removes up to `limit` expired sessions and says how many. */
export async function removeExpiredSessions(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}
