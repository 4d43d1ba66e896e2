// The users table. Nothing in here decides; a unique index and the `where` of each statement do.
import type { Selectable } from 'kysely';
import type { Database } from '../db/database.ts';
import type { UserTable } from '../db/schema.ts';
import { statement } from '../db/statement.ts';
import type { TokenParts } from '../kit/secret.ts';
import type { EmailAddress } from './email-address.ts';
import type { User } from './user.ts';

/** The user of a row. */
export function toUser(row: Selectable<UserTable>): User {
  return {
    id: row.id,
    email: row.email,
    hashedPassword: row.hashed_password,
    createdAt: row.created_at,
    passwordChangedAt: row.password_changed_at,
  };
}

const insertUser = statement((sql, p: { email: string; emailKey: string; hashedPassword: string | null; now: number }) =>
  sql
    .insertInto('users')
    .values({
      email: p.email,
      email_key: p.emailKey,
      hashed_password: p.hashedPassword,
      created_at: p.now,
      password_changed_at: p.now,
    })
    .onConflict((conflict) => conflict.column('email_key').doNothing())
    .returningAll(),
);

/** Adds a user; `undefined` when the address is taken, which the unique index decides. */
export async function addUser(
  db: Database,
  email: EmailAddress,
  hashedPassword: string | null,
  now: number,
): Promise<User | undefined> {
  const row = await db.first(insertUser, { email: email.text, emailKey: email.key, hashedPassword, now });
  return row && toUser(row);
}

const selectByEmail = statement((sql, p: { emailKey: string }) =>
  sql.selectFrom('users').selectAll().where('email_key', '=', p.emailKey),
);

export async function findUserByEmail(db: Database, email: EmailAddress): Promise<User | undefined> {
  const row = await db.first(selectByEmail, { emailKey: email.key });
  return row && toUser(row);
}

const selectById = statement((sql, p: { id: number }) => sql.selectFrom('users').selectAll().where('id', '=', p.id));

export async function findUserById(db: Database, id: number): Promise<User | undefined> {
  const row = await db.first(selectById, { id });
  return row && toUser(row);
}

const selectPage = statement((sql, p: { after: number; limit: number }) =>
  sql.selectFrom('users').selectAll().where('id', '>', p.after).orderBy('id').limit(p.limit),
);

/** Users in the order of their ids, after the given one. */
export async function listUsers(db: Database, after: number, limit: number): Promise<User[]> {
  return (await db.run(selectPage, { after, limit })).map(toUser);
}

/** What a user is found by; all that are given must hold. */
export interface UserFilter {
  readonly id?: number;
  readonly emailKey?: string;
  readonly session?: TokenParts;
  readonly resetToken?: TokenParts;
}

/** Finds the first user for whom all given filters hold. Expired sessions and spent or expired tokens find nobody. */
export async function findUserBy(db: Database, filter: UserFilter, now: number): Promise<User | undefined> {
  const { id, emailKey, session, resetToken } = filter;
  const rows = await db.query((sql) => {
    let query = sql.selectFrom('users').selectAll('users').orderBy('users.id').limit(1);
    if (id !== undefined) query = query.where('users.id', '=', id);
    if (emailKey !== undefined) query = query.where('users.email_key', '=', emailKey);
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

/** Columns of the users table that a caller may set. */
export interface UserChange {
  readonly email?: EmailAddress;
  readonly hashedPassword?: string | null;
}

/**
 * Sets columns of a user; false when there is no such user.
 * @throws {UniqueViolation} when the new address is taken.
 */
export async function updateUser(db: Database, id: number, change: UserChange, now: number): Promise<boolean> {
  const { email, hashedPassword } = change;
  if (email === undefined && hashedPassword === undefined) return (await findUserById(db, id)) !== undefined;
  const rows = await db.query((sql) =>
    sql
      .updateTable('users')
      .set({
        ...(email && { email: email.text, email_key: email.key }),
        ...(hashedPassword !== undefined && { hashed_password: hashedPassword, password_changed_at: now }),
      })
      .where('id', '=', id)
      .returning('id'),
  );
  return rows.length === 1;
}

const rehash = statement((sql, p: { id: number; from: string; to: string }) =>
  sql.updateTable('users').set({ hashed_password: p.to }).where('id', '=', p.id).where('hashed_password', '=', p.from),
);

/** Replaces the hash of an unchanged password by a newer one; a password changed meanwhile stays. */
export async function upgradeHash(db: Database, id: number, from: string, to: string): Promise<void> {
  await db.run(rehash, { id, from, to });
}

const setPassword = statement((sql, p: { id: number; hashedPassword: string; now: number }) =>
  sql
    .updateTable('users')
    .set({ hashed_password: p.hashedPassword, password_changed_at: p.now })
    .where('id', '=', p.id)
    .returningAll(),
);

/** Stores a new password's hash; `undefined` when there is no such user. */
export async function updatePasswordHash(
  db: Database,
  id: number,
  hashedPassword: string,
  now: number,
): Promise<User | undefined> {
  const row = await db.first(setPassword, { id, hashedPassword, now });
  return row && toUser(row);
}

const deleteUser = statement((sql, p: { id: number }) => sql.deleteFrom('users').where('id', '=', p.id).returning('id'));

/** Removes a user with all that hangs on it; false when there is none. */
export async function removeUser(db: Database, id: number): Promise<boolean> {
  return (await db.first(deleteUser, { id })) !== undefined;
}
