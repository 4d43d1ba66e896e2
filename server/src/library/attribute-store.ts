// Reads and replaces the contract's `session_id` and `reset_token`, which are attributes of a user there and rows of
// the tables of sessions and one-time tokens here.
import type { Database, Sql } from '../db/database.ts';
import { statementsFor } from '../db/statement.ts';
import type { TokenParts } from '../kit/secret.ts';
import type { SessionTables } from '../identity/session/schema.ts';
import type { TokenTables } from '../identity/token/schema.ts';
import { toUser, userColumns, type UserTables } from '../user/schema.ts';
import { updateSignedIn } from '../user/store.ts';
import type { User } from '../user/user.ts';

/** Tables of the statements in this file. */
type Tables = SessionTables & TokenTables & UserTables;
const { statement } = statementsFor<Tables>();

/** Attributes to find a user by. All given ones must match. */
export interface UserFilter {
  readonly id?: number;
  readonly emailKey?: string;
  readonly subject?: string;
  readonly externalId?: string;
  readonly session?: TokenParts;
  readonly resetToken?: TokenParts;
}

/**
 * Finds the first user whose attributes match all filters; expired sessions and consumed or expired tokens match none.
 */
export async function findUserBy(db: Database, filter: UserFilter, now: number): Promise<User | undefined> {
  const { id, emailKey, subject, externalId, session, resetToken } = filter;
  const rows = await db.query((sql: Sql<Tables>) => {
    let query = sql.selectFrom('users').select(userColumns).orderBy('users.id').limit(1);
    if (id !== undefined) query = query.where('users.id', '=', id);
    if (emailKey !== undefined) query = query.where('users.email_key', '=', emailKey);
    if (subject !== undefined) query = query.where('users.subject', '=', subject);
    if (externalId !== undefined) query = query.where('users.external_id', '=', externalId);
    if (session !== undefined) {
      query = query.where('users.id', 'in', (nested) =>
        nested
          .selectFrom('sessions')
          .select('user_id')
          .where('id', '=', session.id)
          .where('secret_hash', '=', session.secretHash)
          .where('expires_at', '>', now),
      );
    }
    if (resetToken !== undefined) {
      query = query.where('users.id', 'in', (nested) =>
        nested
          .selectFrom('one_time_tokens')
          .select('user_id')
          .where('id', '=', resetToken.id)
          .where('kind', '=', 'reset')
          .where('secret_hash', '=', resetToken.secretHash)
          .where('spent_at', 'is', null)
          .where('expires_at', '>', now),
      );
    }
    return query;
  });
  return rows[0] && toUser(rows[0]);
}

interface Life {
  readonly now: number;
  readonly expiresAt: number;
}

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

/** Adds a session with a chosen id. Inside a transaction. */
export async function addChosenSession(
  tx: Database,
  userId: number,
  parts: TokenParts,
  life: Life,
): Promise<void> {
  await tx.run(insertSession, { userId, ...parts, ...life });
  await updateSignedIn(tx, userId, life.now);
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

/**
 * Revokes all tokens of a user whose address has changed: they were mailed to the previous one. Inside a transaction.
 */
export async function removeTokens(tx: Database, userId: number): Promise<void> {
  await tx.run(deleteTokens, { userId });
}

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
