// The table oidc_grants: what users have granted to clients.
import type { Database, Sql } from '../../../db/database.ts';
import { removeExpired } from '../../../db/row-builders.ts';
import { statementsFor } from '../../../db/statement.ts';
import type { GrantTables } from './schema.ts';

const { statement } = statementsFor<GrantTables>();

export interface StoredGrant {
  readonly id: string;
  readonly userId: number;
  readonly clientId: string;
  /** 1 if it outlives the session, otherwise 0. */
  readonly outlivesSession: number;
  readonly payload: string;
  readonly expiresAt: number;
}

const upsert = statement((sql, p: StoredGrant & { now: number }) =>
  sql
    .insertInto('oidc_grants')
    .values({
      id: p.id,
      user_id: p.userId,
      client_id: p.clientId,
      outlives_session: p.outlivesSession,
      payload: p.payload,
      created_at: p.now,
      expires_at: p.expiresAt,
    })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({
        outlives_session: p.outlivesSession,
        payload: p.payload,
        expires_at: p.expiresAt,
      }),
    ),
);

/** Adds a grant, or saves it again. @throws {ReferenceViolation} if its user or client has gone. */
export async function saveGrant(db: Database, grant: StoredGrant & { readonly now: number }): Promise<void> {
  await db.run(upsert, grant);
}

const selectById = statement((sql, p: { id: string }) =>
  sql
    .selectFrom('oidc_grants')
    .select([
      'id',
      'user_id as userId',
      'client_id as clientId',
      'outlives_session as outlivesSession',
      'payload',
      'expires_at as expiresAt',
    ])
    .where('id', '=', p.id),
);

export function findGrant(db: Database, id: string): Promise<StoredGrant | undefined> {
  return db.first(selectById, { id });
}

const deleteById = statement((sql, p: { id: string }) =>
  sql
    .deleteFrom('oidc_grants')
    .where('id', '=', p.id)
    .returning(['user_id as userId', 'client_id as clientId']),
);

/** Removes a grant with its tokens, and returns whose it was; `undefined` if it was removed before. */
export function removeGrant(
  db: Database,
  id: string,
): Promise<Pick<StoredGrant, 'userId' | 'clientId'> | undefined> {
  return db.first(deleteById, { id });
}

/** Removes those of the grants that end with their session. */
export async function removeSessionGrants(tx: Database, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await tx.query((sql: Sql<GrantTables>) =>
    sql.deleteFrom('oidc_grants').where('id', 'in', ids).where('outlives_session', '=', 0),
  );
}

const deleteByClient = statement((sql, p: { clientId: string }) =>
  sql.deleteFrom('oidc_grants').where('client_id', '=', p.clientId),
);

/** Removes all grants of a client with their tokens. */
export async function removeGrantsOfClient(tx: Database, clientId: string): Promise<void> {
  await tx.run(deleteByClient, { clientId });
}

const deleteEndedOffline = statement((sql, p: { clientId: string }) =>
  sql
    .deleteFrom('oidc_grants')
    .where('client_id', '=', p.clientId)
    .where('outlives_session', '=', 1)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('oidc_session_clients')
            .select('uid')
            .whereRef('oidc_session_clients.grant_id', '=', 'oidc_grants.id'),
        ),
      ),
    ),
);
const bindToSessions = statement((sql, p: { clientId: string }) =>
  sql
    .updateTable('oidc_grants')
    .set({ outlives_session: 0 })
    .where('client_id', '=', p.clientId)
    .where('outlives_session', '=', 1),
);

/** Removes the grants of a client that have outlived their session. The others end with theirs from now on. */
export async function endOfflineGrants(tx: Database, clientId: string): Promise<void> {
  await tx.run(deleteEndedOffline, { clientId });
  await tx.run(bindToSessions, { clientId });
}

const deleteByUser = statement((sql, p: { userId: number }) =>
  sql.deleteFrom('oidc_grants').where('user_id', '=', p.userId),
);

/** Removes all grants of a user with their tokens. */
export async function removeGrantsOf(db: Database, userId: number): Promise<void> {
  await db.run(deleteByUser, { userId });
}

/** A grant, and how long it has been used. */
export interface GrantUse extends Pick<StoredGrant, 'id' | 'clientId' | 'payload'> {
  readonly createdAt: number;
  /** When the newest of its tokens was issued; null if all have expired. */
  readonly usedAt: number | null;
}

const selectUses = statement((sql, p: { userId: number; limit: number }) =>
  sql
    .selectFrom('oidc_grants')
    .select((eb) => [
      'id',
      'client_id as clientId',
      'payload',
      'created_at as createdAt',
      eb
        .selectFrom('oidc_tokens')
        .select(({ fn }) => fn.max('oidc_tokens.created_at').as('usedAt'))
        .whereRef('oidc_tokens.grant_id', '=', 'oidc_grants.id')
        .as('usedAt'),
    ])
    .where('user_id', '=', p.userId)
    .limit(p.limit),
);

/** Lists up to `limit` grants of a user, in any order. */
export function listGrants(db: Database, userId: number, limit: number): Promise<GrantUse[]> {
  return db.run(selectUses, { userId, limit });
}

const selectIds = statement((sql, p: { userId: number }) =>
  sql.selectFrom('oidc_grants').select(['id', 'client_id as clientId']).where('user_id', '=', p.userId),
);

/** Lists the ids of the grants of a user, for one client or for all. */
export async function listGrantIds(db: Database, userId: number, clientId?: string): Promise<string[]> {
  const grants = await db.run(selectIds, { userId });
  return grants.flatMap((one) => (clientId === undefined || one.clientId === clientId ? [one.id] : []));
}

const deleteByUserAndClient = statement((sql, p: { userId: number; clientId: string }) =>
  sql
    .deleteFrom('oidc_grants')
    .where('user_id', '=', p.userId)
    .where('client_id', '=', p.clientId)
    .returning('id'),
);
/** Removes the grants of a user for a client with their tokens; returns false if there were none. */
export async function removeGrantsAt(tx: Database, userId: number, clientId: string): Promise<boolean> {
  return (await tx.run(deleteByUserAndClient, { userId, clientId })).length > 0;
}

const deleteExpired = removeExpired('oidc_grants');

/** Removes up to `limit` expired grants and returns how many. */
export async function removeExpiredGrants(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}
