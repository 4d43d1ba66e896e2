// The totp_authenticators table.
import type { Database } from '../../db/database.ts';
import { statementsFor } from '../../db/statement.ts';
import type { TotpTables } from './schema.ts';

const { statement } = statementsFor<TotpTables>();

type NewAuthenticatorRow = {
  id: string;
  userId: number;
  name: string;
  seed: string;
  begunBy: string | null;
  now: number;
};

const insertAuthenticator = statement((sql, p: NewAuthenticatorRow) =>
  sql.insertInto('totp_authenticators').values({
    id: p.id,
    user_id: p.userId,
    name: p.name,
    seed: p.seed,
    begun_by: p.begunBy,
    created_at: p.now,
  }),
);

export async function addAuthenticator(db: Database, row: NewAuthenticatorRow): Promise<void> {
  await db.run(insertAuthenticator, row);
}

/** An authenticator with its encrypted seed. */
export interface AuthenticatorRow {
  readonly id: string;
  readonly name: string;
  /** Encrypted. */
  readonly seed: string;
  readonly created_at: number;
  readonly last_step: number | null;
  readonly last_used_at: number | null;
}

const columns = ['id', 'name', 'seed', 'created_at', 'last_step', 'last_used_at'] as const;

const selectConfirmed = statement((sql, p: { userId: number }) =>
  sql
    .selectFrom('totp_authenticators')
    .select(columns)
    .where('user_id', '=', p.userId)
    .where('confirmed_at', 'is not', null)
    .orderBy('created_at'),
);

/** Selects confirmed authenticators. */
export function listAuthenticators(db: Database, userId: number): Promise<AuthenticatorRow[]> {
  return db.run(selectConfirmed, { userId });
}

/** An authenticator without its seed. */
export interface AuthenticatorSummary {
  readonly id: string;
  readonly name: string;
  readonly created_at: number;
  readonly confirmed_at: number | null;
  readonly last_used_at: number | null;
}

const selectEvery = statement((sql, p: { userId: number }) =>
  sql
    .selectFrom('totp_authenticators')
    .select(['id', 'name', 'created_at', 'confirmed_at', 'last_used_at'])
    .where('user_id', '=', p.userId)
    .orderBy('created_at'),
);

/** Lists confirmed authenticators and the one that waits for its first code. */
export function listEveryAuthenticator(db: Database, userId: number): Promise<AuthenticatorSummary[]> {
  return db.run(selectEvery, { userId });
}

const selectPending = statement((sql, p: { userId: number; id: string; since: number }) =>
  sql
    .selectFrom('totp_authenticators')
    .select(columns)
    .where('id', '=', p.id)
    .where('user_id', '=', p.userId)
    .where('confirmed_at', 'is', null)
    .where('created_at', '>', p.since),
);

/** Finds one that has waited for its first code since the given instant at the earliest. */
export function findPending(
  db: Database,
  userId: number,
  id: string,
  since: number,
): Promise<AuthenticatorRow | undefined> {
  return db.first(selectPending, { userId, id, since });
}

const selectBegun = statement((sql, p: { userId: number; begunBy: string; since: number }) =>
  sql
    .selectFrom('totp_authenticators')
    .select(columns)
    .where('user_id', '=', p.userId)
    .where('begun_by', '=', p.begunBy)
    .where('confirmed_at', 'is', null)
    .where('created_at', '>', p.since),
);

/** Finds the enrollment that a session or pending authentication began since the given instant. */
export function findBegun(
  db: Database,
  userId: number,
  begunBy: string,
  since: number,
): Promise<AuthenticatorRow | undefined> {
  return db.first(selectBegun, { userId, begunBy, since });
}

const rename = statement((sql, p: { id: string; name: string }) =>
  sql.updateTable('totp_authenticators').set({ name: p.name }).where('id', '=', p.id),
);

export async function renameAuthenticator(db: Database, id: string, name: string): Promise<void> {
  await db.run(rename, { id, name });
}

type Step = { id: string; step: number; now: number };

const confirm = statement((sql, p: Step) =>
  sql
    .updateTable('totp_authenticators')
    .set({ confirmed_at: p.now, last_step: p.step, last_used_at: p.now })
    .where('id', '=', p.id)
    .where('confirmed_at', 'is', null)
    .returning('id'),
);

/** Confirms an authenticator, once, and records the time step of its first code as used. */
export async function confirmAuthenticator(db: Database, step: Step): Promise<boolean> {
  return (await db.first(confirm, step)) !== undefined;
}

const consume = statement((sql, p: Step) =>
  sql
    .updateTable('totp_authenticators')
    .set({ last_step: p.step, last_used_at: p.now })
    .where('id', '=', p.id)
    .where('last_step', '<', p.step)
    .returning('id'),
);

/** Records a time step as used, once and in ascending order; false if it or a later one was used. */
export async function consumeStep(db: Database, step: Step): Promise<boolean> {
  return (await db.first(consume, step)) !== undefined;
}

const deleteOne = statement((sql, p: { userId: number; id: string }) =>
  sql
    .deleteFrom('totp_authenticators')
    .where('id', '=', p.id)
    .where('user_id', '=', p.userId)
    .where('confirmed_at', 'is not', null)
    .returning('id'),
);

export async function removeAuthenticator(db: Database, userId: number, id: string): Promise<boolean> {
  return (await db.first(deleteOne, { userId, id })) !== undefined;
}

const deletePending = statement((sql, p: { userId: number }) =>
  sql.deleteFrom('totp_authenticators').where('user_id', '=', p.userId).where('confirmed_at', 'is', null),
);

/** Removes an enrollment of the user that was not confirmed. */
export async function removePendingOf(db: Database, userId: number): Promise<void> {
  await db.run(deletePending, { userId });
}

const deleteAll = statement((sql, p: { userId: number; since: number }) =>
  sql
    .deleteFrom('totp_authenticators')
    .where('user_id', '=', p.userId)
    .where(({ eb, or }) => or([eb('confirmed_at', 'is', null), eb('confirmed_at', '>=', p.since)])),
);

/**
 * Removes the authenticators of a user confirmed since an instant (Unix milliseconds), and the unconfirmed ones; by
 * default all.
 */
export async function removeAuthenticatorsOf(db: Database, userId: number, since = 0): Promise<void> {
  await db.run(deleteAll, { userId, since });
}
