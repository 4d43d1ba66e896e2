// Statements of reset tokens that a program chose: the contract's attribute `reset_token` of a user.
import type { SelectQueryBuilder } from 'kysely';
import type { Database, Sql } from '../../db/database.ts';
import { statementsFor } from '../../db/statement.ts';
import type { TokenParts } from '../../kit/secret.ts';
import type { TokenTables } from './schema.ts';

const { statement } = statementsFor<TokenTables>();

/** Selects the id of the user of a reset token that is neither consumed nor expired. */
export function resetTokenOwner(
  sql: Sql<TokenTables>,
  { id, secretHash }: TokenParts,
  now: number,
): SelectQueryBuilder<TokenTables, 'one_time_tokens', { user_id: number }> {
  return sql
    .selectFrom('one_time_tokens')
    .select('user_id')
    .where('id', '=', id)
    .where('kind', '=', 'reset')
    .where('secret_hash', '=', secretHash)
    .where('spent_at', 'is', null)
    .where('expires_at', '>', now);
}

interface Life {
  readonly now: number;
  readonly expiresAt: number;
}

const deleteResetToken = statement((sql, p: { userId: number }) =>
  sql.deleteFrom('one_time_tokens').where('user_id', '=', p.userId).where('kind', '=', 'reset'),
);
const insertResetToken = statement((sql, p: TokenParts & Life & { userId: number }) =>
  sql.insertInto('one_time_tokens').values({
    id: p.id,
    user_id: p.userId,
    kind: 'reset',
    secret_hash: p.secretHash,
    created_at: p.now,
    expires_at: p.expiresAt,
    spent_at: null,
  }),
);

/** Revokes the user's reset token and, unless `parts` is null, adds one. Inside a transaction. */
export async function replaceResetToken(
  tx: Database,
  userId: number,
  parts: TokenParts | null,
  life: Life,
): Promise<void> {
  await tx.run(deleteResetToken, { userId });
  if (parts !== null) await tx.run(insertResetToken, { userId, ...parts, ...life });
}

const deleteTokens = statement((sql, p: { userId: number }) =>
  sql.deleteFrom('one_time_tokens').where('user_id', '=', p.userId),
);

/**
 * Revokes all tokens of a user whose address has changed: they were mailed to the previous one. Inside a transaction.
 */
export async function removeAllTokens(tx: Database, userId: number): Promise<void> {
  await tx.run(deleteTokens, { userId });
}
