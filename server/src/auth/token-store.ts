// The one_time_tokens table: secrets that may be spent once. One row per user and kind, so a newer request voids the
// older by taking its place.
import type { Database } from '../db/database.ts';
import { statement } from '../db/statement.ts';
import type { NewToken, TokenParts } from '../kit/secret.ts';

type NewOneTimeToken = Pick<NewToken, 'id' | 'secretHash'> & {
  userId: number;
  kind: string;
  now: number;
  expiresAt: number;
};

const upsertToken = statement((sql, p: NewOneTimeToken) =>
  sql
    .insertInto('one_time_tokens')
    .columns(['id', 'user_id', 'kind', 'secret_hash', 'created_at', 'expires_at'])
    .expression((from) =>
      from
        .selectFrom('users')
        .select(({ val }) => [
          val(p.id).as('id'),
          'users.id as user_id',
          val(p.kind).as('kind'),
          val(p.secretHash).as('secret_hash'),
          val(p.now).as('created_at'),
          val(p.expiresAt).as('expires_at'),
        ])
        .where('users.id', '=', p.userId),
    )
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

/** Adds a token in the place of the user's older one of that kind; none for nobody. */
export async function replaceToken(db: Database, token: NewOneTimeToken): Promise<void> {
  await db.run(upsertToken, token);
}

/** A token's row as far as it is told: whose it is, and whether it can be spent. */
export interface TokenState {
  readonly user_id: number;
  readonly spent_at: number | null;
  readonly expires_at: number;
}

const selectToken = statement((sql, p: TokenParts & { kind: string }) =>
  sql
    .selectFrom('one_time_tokens')
    .select(['user_id', 'spent_at', 'expires_at'])
    .where('id', '=', p.id)
    .where('kind', '=', p.kind)
    .where('secret_hash', '=', p.secretHash),
);

/** A token's state. It may be spent a moment later: only `consumeToken` decides. */
export function findToken(db: Database, parts: TokenParts, kind: string): Promise<TokenState | undefined> {
  return db.first(selectToken, { ...parts, kind });
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
export async function consumeToken(
  db: Database,
  parts: TokenParts,
  kind: string,
  now: number,
): Promise<number | undefined> {
  return (await db.first(spend, { ...parts, kind, now }))?.user_id;
}

const deleteById = statement((sql, p: { id: string }) =>
  sql.deleteFrom('one_time_tokens').where('id', '=', p.id),
);

/** Removes a token. */
export async function removeToken(db: Database, id: string): Promise<void> {
  await db.run(deleteById, { id });
}

const deleteUnspent = statement((sql, p: { userId: number }) =>
  sql.deleteFrom('one_time_tokens').where('user_id', '=', p.userId).where('spent_at', 'is', null),
);

/** Voids every pending token of a user; a spent one stays, so that its reuse is noticed. */
export async function removePendingTokensOf(db: Database, userId: number): Promise<void> {
  await db.run(deleteUnspent, { userId });
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
