// The tables passkeys and spent_challenges.
import type { Database } from '../../db/database.ts';
import { insertForUser, removeExpired } from '../../db/row-builders.ts';
import { statementsFor } from '../../db/statement.ts';
import { passkeyColumns, type PasskeyTable, type PasskeyTables } from './schema.ts';

const { statement } = statementsFor<PasskeyTables>();

/** A row of the passkeys table. */
export type PasskeyRow = PasskeyTable;

type NewPasskeyRow = Omit<PasskeyRow, 'last_used_at'>;

const insertPasskey = statement((sql, p: NewPasskeyRow) =>
  insertForUser(sql, 'passkeys', {
    userId: p.user_id,
    values: {
      id: p.id,
      user_handle: p.user_handle,
      credential_id: p.credential_id,
      public_key: p.public_key,
      counter: p.counter,
      kind: p.kind,
      storage: p.storage,
      transports: p.transports,
      aaguid: p.aaguid,
      name: p.name,
      created_at: p.created_at,
    },
  })
    .onConflict((conflict) => conflict.column('credential_id').doNothing())
    .returning('id'),
);

/** Adds a passkey; false if its credential is registered for any user, or if there is no such user. */
export async function addPasskey(db: Database, row: NewPasskeyRow): Promise<boolean> {
  return (await db.first(insertPasskey, row)) !== undefined;
}

const selectByUser = statement((sql, p: { userId: number }) =>
  sql
    .selectFrom('passkeys')
    .select(passkeyColumns)
    .where('user_id', '=', p.userId)
    .orderBy('created_at')
    .orderBy('id'),
);

/** Lists the passkeys of a user, the oldest first. */
export function listPasskeys(db: Database, userId: number): Promise<PasskeyRow[]> {
  return db.run(selectByUser, { userId });
}

const selectByCredential = statement((sql, p: { credentialId: string }) =>
  sql.selectFrom('passkeys').select(passkeyColumns).where('credential_id', '=', p.credentialId),
);

export function findPasskey(db: Database, credentialId: string): Promise<PasskeyRow | undefined> {
  return db.first(selectByCredential, { credentialId });
}

type Use = { id: string; counter: number; storage: string; now: number };

/** A signature counter must ascend; without one it stays 0 (WebAuthn Level 3 §6.1.1). */
const recordUse = statement((sql, p: Use) =>
  sql
    .updateTable('passkeys')
    .set({ counter: p.counter, storage: p.storage, last_used_at: p.now })
    .where('id', '=', p.id)
    .where(({ or, and, eb, val }) =>
      or([eb('counter', '<', p.counter), and([eb('counter', '=', 0), eb(val(p.counter), '=', 0)])]),
    )
    .returning('id'),
);

/** Records a use; false if the counter does not ascend, or the passkey was removed. */
export async function usePasskey(db: Database, use: Use): Promise<boolean> {
  return (await db.first(recordUse, use)) !== undefined;
}

type Naming = { userId: number; id: string; name: string };

const updateName = statement((sql, p: Naming) =>
  sql
    .updateTable('passkeys')
    .set({ name: p.name })
    .where('id', '=', p.id)
    .where('user_id', '=', p.userId)
    .returning('id'),
);

export async function renamePasskey(db: Database, naming: Naming): Promise<boolean> {
  return (await db.first(updateName, naming)) !== undefined;
}

const deleteOne = statement((sql, p: { userId: number; id: string }) =>
  sql.deleteFrom('passkeys').where('id', '=', p.id).where('user_id', '=', p.userId).returning(passkeyColumns),
);

/** Removes a passkey of the user and returns its row; `undefined` if the user has no such passkey. */
export function removePasskey(db: Database, userId: number, id: string): Promise<PasskeyRow | undefined> {
  return db.first(deleteOne, { userId, id });
}

const deleteAll = statement((sql, p: { userId: number; since: number }) =>
  sql.deleteFrom('passkeys').where('user_id', '=', p.userId).where('created_at', '>=', p.since),
);

/** Removes the passkeys of a user created since an instant (Unix milliseconds); by default all. */
export async function removePasskeysOf(db: Database, userId: number, since = 0): Promise<void> {
  await db.run(deleteAll, { userId, since });
}

const insertConsumed = statement((sql, p: { id: string; expiresAt: number }) =>
  sql
    .insertInto('spent_challenges')
    .values({ id: p.id, expires_at: p.expiresAt })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id'),
);

/** Consumes a challenge, once and atomically; false if it was consumed before. */
export async function consumeChallenge(db: Database, id: string, expiresAt: number): Promise<boolean> {
  return (await db.first(insertConsumed, { id, expiresAt })) !== undefined;
}

const deleteExpired = removeExpired('spent_challenges');

export async function removeExpiredChallenges(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}
