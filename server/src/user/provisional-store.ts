// Reads and writes provisional accounts in the users table: accounts of a public sign-up whose address is not confirmed
// yet. They expire, and they are removed when another account gets their address. No other account is changed here: each
// statement decides by `provisional_until`.
import { dayMs } from '../kit/clock.ts';
import type { Database } from '../db/database.ts';
import { statementsFor } from '../db/statement.ts';
import type { EmailAddress } from './email-address.ts';
import type { UserTables } from './schema.ts';
import { addUser, type NewUserOptions } from './new-user-store.ts';
import { lockUserByEmail } from './store.ts';
import type { User } from './user.ts';

const { statement } = statementsFor<UserTables>();

/** How long a provisional account is kept after its last token. */
export const provisionalMs = 7 * dayMs;

/** Attempts to add a user while the account that has the address is being removed. */
const addAttempts = 3;

/**
 * Adds a user, or finds the one that has the address, and locks it. The account that had the address may be removed in
 * between: then it adds the user after all. Inside a transaction.
 */
export async function addOrLockUser(
  tx: Database,
  email: EmailAddress,
  now: number,
  { hashedPassword, ...options }: NewUserOptions & { readonly hashedPassword: string | null },
): Promise<{ readonly added: User | undefined; readonly owner: User | undefined }> {
  for (let attempt = 1; ; attempt += 1) {
    const added = await addUser(tx, email, hashedPassword, now, options);
    const owner = await lockUserByEmail(tx, email);
    if (owner !== undefined || attempt === addAttempts) return { added, owner };
  }
}

const setUntil = statement((sql, p: { id: number; until: number }) =>
  sql
    .updateTable('users')
    .set({ provisional_until: p.until })
    .where('id', '=', p.id)
    .where('provisional_until', '<', p.until),
);

/** Keeps a provisional account until the given instant at least. Any other account, and `noUserId`, stays as it is. */
export async function extendProvision(db: Database, id: number, until: number): Promise<void> {
  await db.run(setUntil, { id, until });
}

const clearUntil = statement((sql, p: { id: number }) =>
  sql.updateTable('users').set({ provisional_until: null }).where('id', '=', p.id),
);

/** Makes an account permanent: it was used, or the operator or a program has taken it over. */
export async function endProvision(db: Database, id: number): Promise<void> {
  await db.run(clearUntil, { id });
}

type Respelling = { id: number; email: string; emailKey: string; language: string | null };

const setSpelling = statement((sql, p: Respelling) =>
  sql
    .updateTable('users')
    .set((users) => ({
      email: p.email,
      language: users.fn.coalesce(users.val(p.language), users.ref('language')),
    }))
    .where('id', '=', p.id)
    .where('email_key', '=', p.emailKey)
    .where('email_verified_at', 'is', null),
);

/**
 * Sets the spelling of an address that is not confirmed, and the language of its account if one is given. An account with
 * another address stays as it is.
 */
export async function updateSpelling(
  db: Database,
  id: number,
  { text, key }: EmailAddress,
  language: string | undefined,
): Promise<void> {
  await db.run(setSpelling, { id, email: text, emailKey: key, language: language ?? null });
}

const lockByEmail = statement((sql, p: { emailKey: string }) =>
  sql
    .selectFrom('users')
    .select('id')
    .where('email_key', '=', p.emailKey)
    .where('provisional_until', 'is not', null)
    .where('disabled_at', 'is', null)
    .forUpdate(),
);

/**
 * Locks the provisional account that has the address, to remove it, and returns its id; `undefined` if no such account
 * exists.
 */
export async function lockProvisionalUser(tx: Database, { key }: EmailAddress): Promise<number | undefined> {
  return (await tx.first(lockByEmail, { emailKey: key }))?.id;
}

const lockExpired = statement((sql, p: { now: number; limit: number }) =>
  sql
    .selectFrom('users')
    .select('id')
    .where('provisional_until', '<=', p.now)
    .where('disabled_at', 'is', null)
    .orderBy('provisional_until')
    .limit(p.limit)
    .forUpdate()
    // An account that is being confirmed stays. The next purge finds it if it was not.
    .skipLocked(),
);

/** Locks up to `limit` provisional accounts whose time has come, to remove them, and returns their ids. */
export async function lockExpiredProvisionalUsers(
  tx: Database,
  now: number,
  limit: number,
): Promise<number[]> {
  return (await tx.run(lockExpired, { now, limit })).map(({ id }) => id);
}
