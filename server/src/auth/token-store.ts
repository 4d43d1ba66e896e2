// The one_time_tokens table: secrets that may be spent once. One row per user and kind, so a newer request voids the
// older by taking its place.
import type { Database } from '../db/database.ts';
import { statement } from '../db/statement.ts';
import type { NewToken, TokenParts } from '../kit/secret.ts';

type NewOneTimeToken = Pick<NewToken, 'id' | 'secretHash'> & { userId: number; kind: string; now: number; expiresAt: number };

const upsertToken = statement((sql, p: NewOneTimeToken) =>
  sql
    .insertInto('one_time_tokens')
    .values({
      id: p.id,
      user_id: p.userId,
      kind: p.kind,
      secret_hash: p.secretHash,
      created_at: p.now,
      expires_at: p.expiresAt,
      spent_at: null,
    })
    .onConflict((conflict) =>
      conflict.columns(['user_id', 'kind']).doUpdateSet((row) => ({
        id: row.ref('excluded.id'),
        secret_hash: row.ref('excluded.secret_hash'),
        created_at: row.ref('excluded.created_at'),
        expires_at: row.ref('excluded.expires_at'),
        spent_at: row.ref('excluded.spent_at'),
      })),
    ),
);

/** Adds a token in the place of the user's older one of that kind. */
export async function replaceToken(db: Database, token: NewOneTimeToken): Promise<void> {
  await db.run(upsertToken, token);
}

const selectLive = statement((sql, p: TokenParts & { kind: string; now: number }) =>
  sql
    .selectFrom('one_time_tokens')
    .select('user_id')
    .where('id', '=', p.id)
    .where('kind', '=', p.kind)
    .where('secret_hash', '=', p.secretHash)
    .where('spent_at', 'is', null)
    .where('expires_at', '>', p.now),
);

/** Whose live token this is. It may be spent a moment later: only `consumeToken` decides. */
export async function findTokenOwner(db: Database, parts: TokenParts, kind: string, now: number): Promise<number | undefined> {
  return (await db.first(selectLive, { ...parts, kind, now }))?.user_id;
}

const spend = statement((sql, p: TokenParts & { kind: string; now: number }) =>
  sql
    .updateTable('one_time_tokens')
    .set({ spent_at: p.now })
    .where('id', '=', p.id)
    .where('kind', '=', p.kind)
    .where('secret_hash', '=', p.secretHash)
    .where('spent_at', 'is', null)
    .where('expires_at', '>', p.now)
    .returning('user_id'),
);

/** Spends a live token, once and atomically, and says whose it was. */
export async function consumeToken(db: Database, parts: TokenParts, kind: string, now: number): Promise<number | undefined> {
  return (await db.first(spend, { ...parts, kind, now }))?.user_id;
}

const deleteByUser = statement((sql, p: { userId: number }) => sql.deleteFrom('one_time_tokens').where('user_id', '=', p.userId));

/** Voids every token of a user. */
export async function removeTokensOf(db: Database, userId: number): Promise<void> {
  await db.run(deleteByUser, { userId });
}

const deleteExpired = statement((sql, p: { now: number; limit: number }) =>
  sql
    .deleteFrom('one_time_tokens')
    .where('id', 'in', (nested) =>
      nested.selectFrom('one_time_tokens').select('id').where('expires_at', '<=', p.now).limit(p.limit),
    )
    .returning('id'),
);

/** Removes up to `limit` expired tokens, spent or not, and says how many. */
export async function removeExpiredTokens(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}
