// Reads and writes closed accounts in the users table: closing, reopening, and removing when the removal is due.
import type { Database } from '../db/database.ts';
import { statementsFor } from '../db/statement.ts';
import { toUser, userColumns, type UserTables } from './schema.ts';
import type { User } from './user.ts';

const { statement } = statementsFor<UserTables>();

type Closing = { id: number; now: number; deleteAt: number };

const setClosed = statement((sql, p: Closing) =>
  sql
    .updateTable('users')
    .set({ disabled_at: p.now, delete_at: p.deleteAt })
    .where('id', '=', p.id)
    .where('disabled_at', 'is', null)
    .returning('id'),
);

/**
 * Closes an account: disables the user and schedules the removal. Returns false if there is no such user, or it is
 * disabled.
 */
export async function closeUser(db: Database, closing: Closing): Promise<boolean> {
  return (await db.first(setClosed, closing)) !== undefined;
}

const setReopened = statement((sql, p: { id: number; now: number }) =>
  sql
    .updateTable('users')
    .set({ disabled_at: null, delete_at: null })
    .where('id', '=', p.id)
    .where('delete_at', '>', p.now)
    .returning(userColumns),
);

/** Reopens a closed account before its removal is due; `undefined` if there is no such account. */
export async function reopenUser(db: Database, id: number, now: number): Promise<User | undefined> {
  const row = await db.first(setReopened, { id, now });
  return row && toUser(row);
}

const selectDue = statement((sql, p: { now: number; limit: number }) =>
  sql
    .selectFrom('users')
    .select('id')
    .where('delete_at', '<=', p.now)
    // An older release that runs at the same time enables a user without clearing delete_at.
    .where('disabled_at', 'is not', null)
    .orderBy('delete_at')
    .limit(p.limit),
);

/** Returns the users whose removal is due. A user may be enabled again at any time: only `lockDueUser` decides. */
export async function listDueUsers(db: Database, now: number, limit: number): Promise<number[]> {
  return (await db.run(selectDue, { now, limit })).map(({ id }) => id);
}

const lockDue = statement((sql, p: { id: number; now: number }) =>
  sql
    .selectFrom('users')
    .select('id')
    .where('id', '=', p.id)
    .where('delete_at', '<=', p.now)
    .where('disabled_at', 'is not', null)
    .forUpdate(),
);

/** Locks a user whose removal is due, to remove it. Returns false if there is no such user. */
export async function lockDueUser(tx: Database, id: number, now: number): Promise<boolean> {
  return (await tx.first(lockDue, { id, now })) !== undefined;
}
