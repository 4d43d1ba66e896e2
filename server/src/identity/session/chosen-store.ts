// Statements of sessions whose handle and secret a program chose: the contract's attribute `session_id` of a user.
import type { SelectQueryBuilder } from 'kysely';
import type { Database, Sql } from '../../db/database.ts';
import { statementsFor } from '../../db/statement.ts';
import type { TokenParts } from '../../kit/secret.ts';
import { updateSignedIn } from '../../user/store.ts';
import type { SessionTables } from './schema.ts';

const { statement } = statementsFor<SessionTables>();

/** Selects the id of the user of a session that has not expired. */
export function sessionOwner(
  sql: Sql<SessionTables>,
  { id, secretHash }: TokenParts,
  now: number,
): SelectQueryBuilder<SessionTables, 'sessions', { user_id: number }> {
  return sql
    .selectFrom('sessions')
    .select('user_id')
    .where('id', '=', id)
    .where('secret_hash', '=', secretHash)
    .where('expires_at', '>', now);
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
