// The contract's `session_id` and `reset_token` as attributes of a user, on the tables where sessions and one-time
// tokens live: `updateUser` replaces what the user had of the kind.
import type { Database } from '../db/database.ts';
import { statement } from '../db/statement.ts';
import type { TokenParts } from '../kit/secret.ts';

interface Life {
  readonly now: number;
  readonly expiresAt: number;
}

const deleteSessions = statement((sql, p: { userId: number }) =>
  sql.deleteFrom('sessions').where('user_id', '=', p.userId),
);
const insertSession = statement((sql, p: TokenParts & Life & { userId: number }) =>
  sql.insertInto('sessions').values({
    id: p.id,
    user_id: p.userId,
    secret_hash: p.secretHash,
    created_at: p.now,
    last_seen_at: p.now,
    expires_at: p.expiresAt,
  }),
);

/** Ends the user's sessions and, unless `parts` is null, adds one. Runs inside a transaction. */
export async function replaceSession(
  tx: Database,
  userId: number,
  parts: TokenParts | null,
  life: Life,
): Promise<void> {
  await tx.run(deleteSessions, { userId });
  if (parts !== null) await tx.run(insertSession, { userId, ...parts, ...life });
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

const deleteTokens = statement((sql, p: { userId: number }) =>
  sql.deleteFrom('one_time_tokens').where('user_id', '=', p.userId),
);

/** Voids every token of the user: they were sent to an address that is no longer theirs. Runs inside a transaction. */
export async function removeTokens(tx: Database, userId: number): Promise<void> {
  await tx.run(deleteTokens, { userId });
}

/** Voids the user's reset token and, unless `parts` is null, adds one. Runs inside a transaction. */
export async function replaceResetToken(
  tx: Database,
  userId: number,
  parts: TokenParts | null,
  life: Life,
): Promise<void> {
  await tx.run(deleteResetToken, { userId });
  if (parts !== null) await tx.run(insertResetToken, { userId, ...parts, ...life });
}
