// Statements of the table `sessions`.
import type { Database, Sql } from '../../db/database.ts';
import { insertForUser } from '../../db/row-builders.ts';
import { statementsFor } from '../../db/statement.ts';
import type { NewToken } from '../../kit/secret.ts';
import type { SessionTables } from './schema.ts';
import type { UserTables } from '../../user/schema.ts';

/** Tables of the statements in this file. */
type Tables = SessionTables & UserTables;
const { lookup, statement } = statementsFor<Tables>();

/** A session and its user, as each request reads them. */
export interface SessionRow {
  readonly lookup_key: string;
  readonly secret_hash: Uint8Array;
  readonly user_id: number;
  readonly email: string;
  readonly subject: string | null;
  readonly name: string | null;
  readonly last_seen_at: number;
  readonly expires_at: number;
  readonly ends_with_browser: number;
}

/**
 * Runs at every request: one join by primary key. Includes the user, so that removing or disabling a user ends its
 * sessions.
 */
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
      'sessions.ends_with_browser',
      'users.email',
      'users.subject',
      'users.name',
    ])
    .where('users.disabled_at', 'is', null)
    .where(isKey('sessions.id')),
);

/** Returns a session with its user; `undefined` if no session has the handle. The caller checks secret and expiry. */
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
  address: string | null;
  /** 1 or 0. */
  endsWithBrowser: number;
};

/**
 * Decides in the WHERE: adds no row if the password has changed since it was verified, or the user was removed or
 * disabled.
 */
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
      address: p.address,
      ends_with_browser: p.endsWithBrowser,
    },
  }).returning('id'),
);

/** Adds a session; returns false if the verified password is no longer the user's. */
export async function addSession(db: Database, session: NewSession): Promise<boolean> {
  return (await db.first(insertSession, session)) !== undefined;
}

const selectFactors = statement((sql, p: { id: string }) =>
  sql.selectFrom('sessions').select('factors').where('id', '=', p.id),
);

/** Returns the factors of a session in their stored form. */
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

/** Replaces the handle, secret and factors of a session. Of two concurrent calls, the second finds no session. */
export async function replaceSession(db: Database, replacement: Replacement): Promise<boolean> {
  return (await db.first(renameSession, replacement)) !== undefined;
}

/** A session without its secret, for the operator and its user. */
export interface SessionSummary {
  readonly id: string;
  readonly user_id: number;
  readonly email: string;
  readonly created_at: number;
  readonly last_seen_at: number;
  readonly expires_at: number;
  /** In their stored form; parseFactors reads it. */
  readonly factors: string;
  readonly device: string | null;
  readonly address: string | null;
}

/** Filter of listed sessions. Only live ones are listed, which were seen within the idle life. */
export interface SessionFilter {
  readonly userId: number | undefined;
  readonly now: number;
  readonly seenSince: number;
  readonly limit: number;
}

/** Lists live sessions of one user, or of all users, newest first. */
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
        'address',
      ])
      .where('expires_at', '>', now)
      .where('last_seen_at', '>', seenSince)
      .orderBy('sessions.created_at', 'desc')
      .limit(limit);
    return userId === undefined ? query : query.where('user_id', '=', userId);
  });
}

/** Stores that sessions were seen. Never moves the instant back. */
export async function noteSeen(db: Database, ids: readonly string[], now: number): Promise<void> {
  await db.query((sql: Sql<Tables>) =>
    sql
      .updateTable('sessions')
      .set({ last_seen_at: now })
      .where('id', 'in', ids)
      .where('last_seen_at', '<', now),
  );
}
