// The tables oidc_tokens and oidc_used: codes and tokens, each consumed at most once, and identifiers that are used once.
import type { Database } from '../../../db/database.ts';
import { removeExpired } from '../../../db/row-builders.ts';
import { statementsFor } from '../../../db/statement.ts';
import type { GrantTables } from './schema.ts';

const { lookup, statement } = statementsFor<GrantTables>();

/** A code or token without its text. */
export interface IssuedToken {
  readonly id: string;
  readonly kind: string;
  readonly grantId: string | null;
  readonly userId: number | null;
  readonly clientId: string | null;
  readonly sessionUid: string | null;
  readonly userCode: string | null;
  readonly payload: string;
  readonly sealed: string | null;
  readonly consumedAt: number | null;
  readonly replays: number;
  readonly expiresAt: number;
}

type NewToken = Omit<IssuedToken, 'consumedAt' | 'replays'> & { readonly now: number };

const upsert = statement((sql, p: NewToken) =>
  sql
    .insertInto('oidc_tokens')
    .values({
      id: p.id,
      kind: p.kind,
      grant_id: p.grantId,
      user_id: p.userId,
      client_id: p.clientId,
      session_uid: p.sessionUid,
      user_code: p.userCode,
      payload: p.payload,
      sealed: p.sealed,
      consumed_at: null,
      replays: 0,
      created_at: p.now,
      expires_at: p.expiresAt,
    })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({
        grant_id: p.grantId,
        user_id: p.userId,
        session_uid: p.sessionUid,
        payload: p.payload,
        expires_at: p.expiresAt,
      }),
    ),
);

/** Adds a token, or saves it again. @throws {ReferenceViolation} if its grant, client, session or user has gone. */
export async function saveToken(db: Database, token: NewToken): Promise<void> {
  await db.run(upsert, token);
}

const tokenColumns = [
  'id',
  'kind',
  'grant_id as grantId',
  'user_id as userId',
  'client_id as clientId',
  'session_uid as sessionUid',
  'user_code as userCode',
  'payload',
  'sealed',
  'consumed_at as consumedAt',
  'replays',
  'expires_at as expiresAt',
] as const;

const selectById = statement((sql, p: { id: string }) =>
  sql.selectFrom('oidc_tokens').select(tokenColumns).where('id', '=', p.id),
);

export function findToken(db: Database, id: string): Promise<IssuedToken | undefined> {
  return db.first(selectById, { id });
}

/** A token with what it depends on. */
export interface TokenInUse extends IssuedToken {
  /** Handle of its session; null if it does not end with one. */
  readonly sessionId: string | null;
  /** The members of its grant, as JSON. */
  readonly grantPayload: string | null;
}

const selectInUse = lookup<TokenInUse & { readonly lookup_key: string }>((sql, isKey) =>
  sql
    .selectFrom('oidc_tokens')
    .leftJoin('oidc_sessions', 'oidc_sessions.uid', 'oidc_tokens.session_uid')
    .leftJoin('oidc_grants', 'oidc_grants.id', 'oidc_tokens.grant_id')
    .select([
      'oidc_tokens.id as lookup_key',
      'oidc_tokens.id as id',
      'oidc_tokens.kind as kind',
      'oidc_tokens.grant_id as grantId',
      'oidc_tokens.user_id as userId',
      'oidc_tokens.client_id as clientId',
      'oidc_tokens.session_uid as sessionUid',
      'oidc_tokens.user_code as userCode',
      'oidc_tokens.payload as payload',
      'oidc_tokens.sealed as sealed',
      'oidc_tokens.consumed_at as consumedAt',
      'oidc_tokens.replays as replays',
      'oidc_tokens.expires_at as expiresAt',
      'oidc_sessions.session_id as sessionId',
      'oidc_grants.payload as grantPayload',
    ])
    .where(isKey('oidc_tokens.id')),
);

/** Finds a token with its session and its grant, in one look-up: every use of a token reads all three. */
export function findTokenInUse(db: Database, id: string): Promise<TokenInUse | undefined> {
  return db.find(selectInUse, id);
}

const selectByUserCode = statement((sql, p: { userCode: string }) =>
  sql.selectFrom('oidc_tokens').select(tokenColumns).where('user_code', '=', p.userCode),
);

export function findTokenByUserCode(db: Database, userCode: string): Promise<IssuedToken | undefined> {
  return db.first(selectByUserCode, { userCode });
}

const consumeOnce = statement((sql, p: { id: string; sealed: string | null; now: number }) =>
  sql
    .updateTable('oidc_tokens')
    .set(({ fn, val, ref }) => ({
      consumed_at: p.now,
      sealed: fn.coalesce(val(p.sealed), ref('sealed')),
    }))
    .where('id', '=', p.id)
    .where('consumed_at', 'is', null)
    .returning('id'),
);

/**
 * Consumes a token. Decided in the `where`: of concurrent calls exactly one returns true.
 * @param token.sealed Replaces the encrypted text; null keeps it.
 */
export async function consumeToken(
  db: Database,
  token: { readonly id: string; readonly sealed: string | null; readonly now: number },
): Promise<boolean> {
  return (await db.first(consumeOnce, token)) !== undefined;
}

const countReplay = statement((sql, p: { id: string; limit: number }) =>
  sql
    .updateTable('oidc_tokens')
    .set(({ eb, lit, ref }) => ({ replays: eb(ref('replays'), '+', lit(1)) }))
    .where('id', '=', p.id)
    .where('replays', '<', p.limit)
    .returning('id'),
);

/** Counts an answer to a used refresh token; returns false if the limit is reached. */
export async function countTokenReplay(db: Database, id: string, limit: number): Promise<boolean> {
  return (await db.first(countReplay, { id, limit })) !== undefined;
}

const deleteById = statement((sql, p: { id: string }) =>
  sql.deleteFrom('oidc_tokens').where('id', '=', p.id),
);

export async function removeToken(db: Database, id: string): Promise<void> {
  await db.run(deleteById, { id });
}

const deleteByGrant = statement((sql, p: { grantId: string }) =>
  sql.deleteFrom('oidc_tokens').where('grant_id', '=', p.grantId),
);

/** Removes the tokens of a grant. */
export async function removeTokensOfGrant(db: Database, grantId: string): Promise<void> {
  await db.run(deleteByGrant, { grantId });
}

const insertUsed = statement((sql, p: { id: string; expiresAt: number }) =>
  sql
    .insertInto('oidc_used')
    .values({ id: p.id, expires_at: p.expiresAt })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id'),
);

/** Uses an identifier; returns false if it was used before. */
export async function useOnce(db: Database, id: string, expiresAt: number): Promise<boolean> {
  return (await db.first(insertUsed, { id, expiresAt })) !== undefined;
}

const deleteExpiredTokens = removeExpired('oidc_tokens');
const deleteExpiredUses = removeExpired('oidc_used');

/** Removes up to `limit` expired tokens and returns how many. */
export async function removeExpiredTokens(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpiredTokens, { now, limit })).length;
}

/** Removes up to `limit` identifiers that are too old to be used again, and returns how many. */
export async function removeExpiredUses(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpiredUses, { now, limit })).length;
}
