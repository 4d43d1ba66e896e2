// The table oidc_interactions: authorization requests that wait for a person.
import type { Database } from '../../../db/database.ts';
import { removeExpired } from '../../../db/row-builders.ts';
import { statementsFor } from '../../../db/statement.ts';
import type { GrantTables } from './schema.ts';

const { statement } = statementsFor<GrantTables>();

/** Times are Unix milliseconds. */
interface NewInteraction {
  readonly id: string;
  readonly sealed: string;
  readonly now: number;
  readonly expiresAt: number;
}

const upsert = statement((sql, p: NewInteraction) =>
  sql
    .insertInto('oidc_interactions')
    .values({ id: p.id, sealed: p.sealed, created_at: p.now, expires_at: p.expiresAt })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet({ sealed: p.sealed, expires_at: p.expiresAt }),
    ),
);

/** Adds an interaction, or saves it again. */
export async function saveInteraction(db: Database, interaction: NewInteraction): Promise<void> {
  await db.run(upsert, interaction);
}

const selectById = statement((sql, p: { id: string }) =>
  sql
    .selectFrom('oidc_interactions')
    .select(['sealed', 'created_at as createdAt', 'expires_at as expiresAt'])
    .where('id', '=', p.id),
);

export function findInteraction(
  db: Database,
  id: string,
): Promise<{ readonly sealed: string; readonly createdAt: number; readonly expiresAt: number } | undefined> {
  return db.first(selectById, { id });
}

const deleteById = statement((sql, p: { id: string }) =>
  sql.deleteFrom('oidc_interactions').where('id', '=', p.id),
);

export async function removeInteraction(db: Database, id: string): Promise<void> {
  await db.run(deleteById, { id });
}

const deleteExpired = removeExpired('oidc_interactions');

/** Removes up to `limit` expired interactions and returns how many. */
export async function removeExpiredInteractions(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}
