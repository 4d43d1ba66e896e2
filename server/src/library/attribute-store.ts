// Reads and replaces the contract's `session_id` and `reset_token`, which are attributes of a user there and rows of
// the tables of sessions and one-time tokens here.
import type { Database, Sql } from '../db/database.ts';
import { partsOfChosenText } from '../kit/secret.ts';
import { sessionKind } from '../identity/cookie-kinds.ts';
import { resetKind } from '../identity/password/reset.ts';
import { addChosenSession, sessionOwner } from '../identity/session/chosen-store.ts';
import type { SessionTables } from '../identity/session/schema.ts';
import { replaceResetToken, resetTokenOwner } from '../identity/token/chosen-store.ts';
import type { TokenTables } from '../identity/token/schema.ts';
import { toUser, userColumns, type UserTables } from '../user/schema.ts';
import type { User } from '../user/user.ts';

/** Tables of the statement in this file. */
type Tables = SessionTables & TokenTables & UserTables;

/** Attributes to find a user by. All given ones must match. */
export interface UserFilter {
  readonly id?: number;
  readonly emailKey?: string;
  readonly subject?: string;
  readonly externalId?: string;
  readonly sessionId?: string;
  readonly resetToken?: string;
}

/**
 * Finds the first user whose attributes match all filters; expired sessions and consumed or expired tokens match none.
 */
export async function findUserBy(db: Database, filter: UserFilter, now: number): Promise<User | undefined> {
  const { id, emailKey, subject, externalId, sessionId, resetToken } = filter;
  const rows = await db.query((sql: Sql<Tables>) => {
    let query = sql.selectFrom('users').select(userColumns).orderBy('users.id').limit(1);
    if (id !== undefined) query = query.where('users.id', '=', id);
    if (emailKey !== undefined) query = query.where('users.email_key', '=', emailKey);
    if (subject !== undefined) query = query.where('users.subject', '=', subject);
    if (externalId !== undefined) query = query.where('users.external_id', '=', externalId);
    if (sessionId !== undefined) {
      const parts = partsOfChosenText(sessionKind, sessionId);
      query = query.where('users.id', 'in', sessionOwner(sql.$pickTables<'sessions'>(), parts, now));
    }
    if (resetToken !== undefined) {
      const parts = partsOfChosenText(resetKind, resetToken);
      const owner = resetTokenOwner(sql.$pickTables<'one_time_tokens'>(), parts, now);
      query = query.where('users.id', 'in', owner);
    }
    return query;
  });
  return rows[0] && toUser(rows[0]);
}

interface Life {
  readonly now: number;
  readonly expiresAt: number;
}

/** Adds a session with this id. Inside a transaction. */
export async function setSessionId(
  tx: Database,
  userId: number,
  sessionId: string,
  life: Life,
): Promise<void> {
  await addChosenSession(tx, userId, partsOfChosenText(sessionKind, sessionId), life);
}

/** Revokes the user's reset token and, unless the new one is null, adds that. Inside a transaction. */
export async function setResetToken(
  tx: Database,
  userId: number,
  resetToken: string | null,
  life: Life,
): Promise<void> {
  const parts = resetToken === null ? null : partsOfChosenText(resetKind, resetToken);
  await replaceResetToken(tx, userId, parts, life);
}
