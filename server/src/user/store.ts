// Reads and writes the users table. Concurrent changes are decided by the unique index and the `where` of each statement,
// never by code that reads before it writes.
import type { Expression, ExpressionBuilder } from 'kysely';
import type { Database, Sql } from '../db/database.ts';
import { statementsFor } from '../db/statement.ts';
import type { EmailAddress } from './email-address.ts';
import { toUser, userColumns, type UserTables } from './schema.ts';
import type { User } from './user.ts';

const { statement } = statementsFor<UserTables>();

const selectByEmail = statement((sql, p: { emailKey: string }) =>
  sql.selectFrom('users').select(userColumns).where('email_key', '=', p.emailKey),
);

export async function findUserByEmail(db: Database, email: EmailAddress): Promise<User | undefined> {
  const row = await db.first(selectByEmail, { emailKey: email.key });
  return row && toUser(row);
}

const selectById = statement((sql, p: { id: number }) =>
  sql.selectFrom('users').select(userColumns).where('id', '=', p.id),
);

export async function findUserById(db: Database, id: number): Promise<User | undefined> {
  const row = await db.first(selectById, { id });
  return row && toUser(row);
}

const lockByEmail = statement((sql, p: { emailKey: string }) =>
  sql.selectFrom('users').select(userColumns).where('email_key', '=', p.emailKey).forNoKeyUpdate(),
);

/**
 * Finds a user and locks the row until the transaction ends. A transaction that reads a user before it changes rows that
 * refer to the user locks the user first: always in this order, or two transactions deadlock.
 */
export async function lockUserByEmail(tx: Database, email: EmailAddress): Promise<User | undefined> {
  const row = await tx.first(lockByEmail, { emailKey: email.key });
  return row && toUser(row);
}

const lockById = statement((sql, p: { id: number }) =>
  sql.selectFrom('users').select(userColumns).where('id', '=', p.id).forNoKeyUpdate(),
);

/** Finds a user by id and locks the row until the transaction ends; see `lockUserByEmail`. */
export async function lockUser(tx: Database, id: number): Promise<User | undefined> {
  const row = await tx.first(lockById, { id });
  return row && toUser(row);
}

const lockToRemove = statement((sql, p: { id: number }) =>
  sql.selectFrom('users').select('id').where('id', '=', p.id).forUpdate(),
);

/**
 * Locks a user who is about to be removed; returns false if there is no such user. No transaction can then add a row that
 * refers to the user.
 */
export async function lockUserToRemove(tx: Database, id: number): Promise<boolean> {
  return (await tx.first(lockToRemove, { id })) !== undefined;
}

const selectPage = statement((sql, p: { after: number; limit: number }) =>
  sql.selectFrom('users').select(userColumns).where('id', '>', p.after).orderBy('id').limit(p.limit),
);

/** Returns users in the order of their ids, after the given id. */
export async function listUsers(db: Database, after: number, limit: number): Promise<User[]> {
  return (await db.run(selectPage, { after, limit })).map(toUser);
}

type Users = ExpressionBuilder<UserTables, 'users'>;

/** An instant later than that of the last password, even in the same millisecond or after the clock was set back. */
const instantOfChange =
  (now: number) =>
  (users: Users): Expression<number> =>
    users
      .case()
      .when('password_changed_at', '<', now)
      .then(now)
      .else(users('password_changed_at', '+', users.lit(1)))
      .end();

/** Keeps the time of verification if the address stays the same; null for another address, which is not verified. */
const verifiedUnder =
  (emailKey: string) =>
  (users: Users): Expression<number | null> =>
    users.case().when('email_key', '=', emailKey).then(users.ref('email_verified_at')).else(null).end();

/** Columns of the users table that a caller may set. */
export interface UserChange {
  readonly email?: EmailAddress;
  readonly hashedPassword?: string | null;
}

/**
 * Sets columns of a user. Returns false if there is no such user.
 * @throws {UniqueViolation} if the new address is taken.
 */
export async function updateUser(
  db: Database,
  id: number,
  change: UserChange,
  now: number,
): Promise<boolean> {
  const { email, hashedPassword } = change;
  if (email === undefined && hashedPassword === undefined) return (await findUserById(db, id)) !== undefined;
  const rows = await db.query((sql: Sql<UserTables>) =>
    sql
      .updateTable('users')
      .set({
        ...(email && {
          email: email.text,
          email_key: email.key,
          email_verified_at: verifiedUnder(email.key),
        }),
        ...(hashedPassword !== undefined && {
          hashed_password: hashedPassword,
          password_changed_at: instantOfChange(now),
        }),
      })
      .where('id', '=', id)
      .returning('id'),
  );
  return rows.length === 1;
}

const rehash = statement((sql, p: { id: number; from: string; to: string }) =>
  sql
    .updateTable('users')
    .set({ hashed_password: p.to })
    .where('id', '=', p.id)
    .where('hashed_password', '=', p.from),
);

/** Replaces the hash of the same password by a newer one. A password that was changed since `from` was read stays. */
export async function upgradeHash(db: Database, id: number, from: string, to: string): Promise<void> {
  await db.run(rehash, { id, from, to });
}

const setDisabled = statement((sql, p: { id: number; disabledAt: number }) =>
  sql.updateTable('users').set({ disabled_at: p.disabledAt }).where('id', '=', p.id).returning('id'),
);
const setEnabled = statement((sql, p: { id: number }) =>
  sql.updateTable('users').set({ disabled_at: null, delete_at: null }).where('id', '=', p.id).returning('id'),
);

/**
 * Disables a user, or enables the user again with null, which also cancels the removal of a closed account. Returns false
 * if there is no such user.
 */
export async function updateDisabled(db: Database, id: number, disabledAt: number | null): Promise<boolean> {
  const row =
    disabledAt === null
      ? await db.first(setEnabled, { id })
      : await db.first(setDisabled, { id, disabledAt });
  return row !== undefined;
}

const setVerified = statement((sql, p: { id: number; now: number }) =>
  sql
    .updateTable('users')
    .set({ email_verified_at: p.now, provisional_until: null })
    .where('id', '=', p.id)
    .where('disabled_at', 'is', null)
    .returning(userColumns),
);

/** Marks the address of a user as verified; `undefined` if there is no such user, or it is disabled. */
export async function updateVerified(db: Database, id: number, now: number): Promise<User | undefined> {
  const row = await db.first(setVerified, { id, now });
  return row && toUser(row);
}

const setSignedIn = statement((sql, p: { id: number; now: number }) =>
  sql.updateTable('users').set({ last_sign_in_at: p.now, provisional_until: null }).where('id', '=', p.id),
);

/** Records a new session of a user. An account that is used is no longer provisional. */
export async function updateSignedIn(db: Database, id: number, now: number): Promise<void> {
  await db.run(setSignedIn, { id, now });
}

const setLanguage = statement((sql, p: { id: number; language: string }) =>
  sql.updateTable('users').set({ language: p.language }).where('id', '=', p.id),
);

export async function updateLanguage(db: Database, id: number, language: string): Promise<void> {
  await db.run(setLanguage, { id, language });
}

const setPassword = statement((sql, p: { id: number; hashedPassword: string | null; now: number }) =>
  sql
    .updateTable('users')
    .set({ hashed_password: p.hashedPassword, password_changed_at: instantOfChange(p.now) })
    .where('id', '=', p.id)
    .where('disabled_at', 'is', null)
    .returning(userColumns),
);

/** Stores the hash of a new password, or null for no password; `undefined` if there is no such user, or it is disabled. */
export async function updatePasswordHash(
  db: Database,
  id: number,
  hashedPassword: string | null,
  now: number,
): Promise<User | undefined> {
  const row = await db.first(setPassword, { id, hashedPassword, now });
  return row && toUser(row);
}

const deleteUser = statement((sql, p: { id: number }) =>
  sql.deleteFrom('users').where('id', '=', p.id).returning('id'),
);

/**
 * Removes a user with all dependent rows. Returns false if there is no such user. End the access of the user before:
 * see `removeAccount`.
 */
export async function removeUser(db: Database, id: number): Promise<boolean> {
  return (await db.first(deleteUser, { id })) !== undefined;
}
