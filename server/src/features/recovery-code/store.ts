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

const selectUnused = statement((sql, p: { userId: number; now: number }) =>
  sql
    .selectFrom('recovery_codes')
    .select(['id', 'code_mac'])
    .where('user_id', '=', p.userId)
    .where('spent_at', 'is', null)
    .where(({ eb, or }) => or([eb('ends_at', 'is', null), eb('ends_at', '>', p.now)])),
);

/** A code that can be used. */
export interface UnusedCode {
  readonly id: string;
  readonly code_mac: string;
}

/** Lists the codes that can be used: those of the newest set, and former ones until they end. */
export function listUnused(db: Database, userId: number, now: number): Promise<UnusedCode[]> {
  return db.run(selectUnused, { userId, now });
}

const selectNewest = statement((sql, p: { userId: number }) =>
  sql
    .selectFrom('recovery_codes')
    .select('id')
    .where('user_id', '=', p.userId)
    .where('spent_at', 'is', null)
    .where('ends_at', 'is', null),
);

/** Counts the codes of the newest set that are left. */
export async function countCodes(db: Database, userId: number): Promise<number> {
  return (await db.run(selectNewest, { userId })).length;
}

const endNewest = statement((sql, p: { userId: number; at: number }) =>
  sql
    .updateTable('recovery_codes')
    .set({ ends_at: p.at })
    .where('user_id', '=', p.userId)
    .where('ends_at', 'is', null),
);

/** Sets the instant at which the codes of the newest set end. */
export async function endCodes(db: Database, userId: number, at: number): Promise<void> {
  await db.run(endNewest, { userId, at });
}

const deleteFormer = statement((sql, p: { userId: number; before: number }) =>
  sql.deleteFrom('recovery_codes').where('user_id', '=', p.userId).where('ends_at', '<=', p.before),
);

/** Removes the codes of a user that end until an instant. */
export async function removeFormerCodes(db: Database, userId: number, before: number): Promise<void> {
  await db.run(deleteFormer, { userId, before });
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
