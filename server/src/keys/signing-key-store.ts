// Statements of the table `signing_keys`.
import type { Database } from '../db/database.ts';
import { lockModule } from '../db/migrate.ts';
import { removeExpired } from '../db/row-builders.ts';
import { statementsFor } from '../db/statement.ts';
import type { KeyTables } from './schema.ts';
import type { SealedSigningKey, SigningAlgorithm, SigningKeyState } from './signing-key.ts';

const { statement } = statementsFor<KeyTables>();

/** A stored key. Instants are Unix milliseconds. */
export interface StoredSigningKey extends SealedSigningKey {
  readonly createdAt: number;
  readonly stateSince: number;
  /** When a retired key is no longer published; null for the other states. */
  readonly expiresAt: number | null;
}

const selectEvery = statement((sql) =>
  sql
    .selectFrom('signing_keys')
    .select([
      'id as kid',
      'alg',
      'state',
      'private_jwk as sealed',
      'created_at as createdAt',
      'state_since as stateSince',
      'expires_at as expiresAt',
    ])
    .orderBy('state_since', 'desc')
    .orderBy('id'),
);

/** Returns all keys, those whose state changed last first. */
export async function listStoredKeys(db: Database): Promise<StoredSigningKey[]> {
  const rows = await db.run(selectEvery, {});
  // Only this file writes the two columns.
  return rows.map((row) => ({
    ...row,
    alg: row.alg as SigningAlgorithm,
    state: row.state as SigningKeyState,
  }));
}

/** A key to be added. */
interface NewStoredKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly state: 'next' | 'current';
  readonly sealed: string;
  /** JWK as JSON. */
  readonly publicJwk: string;
  readonly now: number;
}

const insertKey = statement((sql, p: NewStoredKey) =>
  sql.insertInto('signing_keys').values({
    id: p.kid,
    alg: p.alg,
    state: p.state,
    private_jwk: p.sealed,
    public_jwk: p.publicJwk,
    created_at: p.now,
    state_since: p.now,
    expires_at: null,
  }),
);

/** Adds a key. */
export async function addStoredKey(tx: Database, key: NewStoredKey): Promise<void> {
  await tx.run(insertKey, key);
}

interface NewState {
  readonly kid: string;
  readonly state: SigningKeyState;
  readonly now: number;
  readonly expiresAt: number | null;
}

const updateState = statement((sql, p: NewState) =>
  sql
    .updateTable('signing_keys')
    .set({ state: p.state, state_since: p.now, expires_at: p.expiresAt })
    .where('id', '=', p.kid),
);

/** Changes the state of a key. */
export async function updateStoredState(tx: Database, change: NewState): Promise<void> {
  await tx.run(updateState, change);
}

const deleteKey = statement((sql, p: { kid: string }) =>
  sql.deleteFrom('signing_keys').where('id', '=', p.kid),
);

/** Removes a key. */
export async function removeStoredKey(tx: Database, kid: string): Promise<void> {
  await tx.run(deleteKey, { kid });
}

const deleteExpired = removeExpired('signing_keys');

/** Removes up to `limit` retired keys that are no longer published and returns how many. */
export async function removeExpiredKeys(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}

/** Lets only one transaction at a time change the keys. */
export function lockStoredKeys(tx: Database): Promise<void> {
  return lockModule(tx, 'keys');
}
