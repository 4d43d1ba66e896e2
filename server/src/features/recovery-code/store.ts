// The recovery_codes table.
import type { Database } from '../../db/database.ts';
import { statementsFor } from '../../db/statement.ts';
import type { RecoveryCodeTables } from './schema.ts';

const { statement } = statementsFor<RecoveryCodeTables>();

type NewCode = { id: string; userId: number; codeMac: string; now: number };

const insertCode = statement((sql, p: NewCode) =>
  sql
    .insertInto('recovery_codes')
    .values({ id: p.id, user_id: p.userId, code_mac: p.codeMac, created_at: p.now }),
);

export async function addCode(db: Database, code: NewCode): Promise<void> {
  await db.run(insertCode, code);
}

const selectUnused = statement((sql, p: { userId: number }) =>
  sql
    .selectFrom('recovery_codes')
    .select(['id', 'code_mac'])
    .where('user_id', '=', p.userId)
    .where('spent_at', 'is', null),
);

export function listUnused(db: Database, userId: number): Promise<{ id: string; code_mac: string }[]> {
  return db.run(selectUnused, { userId });
}

/** Counts the codes that are left. */
export async function countCodes(db: Database, userId: number): Promise<number> {
  return (await listUnused(db, userId)).length;
}

const consume = statement((sql, p: { id: string; now: number }) =>
  sql
    .updateTable('recovery_codes')
    .set({ spent_at: p.now })
    .where('id', '=', p.id)
    .where('spent_at', 'is', null)
    .returning('id'),
);

/** Consumes a code, once and atomically; false if it is wrong or was used. */
export async function consumeCode(db: Database, id: string, now: number): Promise<boolean> {
  return (await db.first(consume, { id, now })) !== undefined;
}

const deleteAll = statement((sql, p: { userId: number; since: number }) =>
  sql.deleteFrom('recovery_codes').where('user_id', '=', p.userId).where('created_at', '>=', p.since),
);

/** Removes the codes of a user created since an instant (Unix milliseconds); by default all. */
export async function removeCodesOf(db: Database, userId: number, since = 0): Promise<void> {
  await db.run(deleteAll, { userId, since });
}
