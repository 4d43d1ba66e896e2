// The known_devices table: browsers on which an account was signed in before.
import type { Database } from '../../db/database.ts';
import { removeExpired, removeOldest } from '../../db/row-builders.ts';
import { statementsFor } from '../../db/statement.ts';
import type { NewToken, TokenParts } from '../../kit/secret.ts';
import type { SignInTables } from './schema.ts';

const { statement } = statementsFor<SignInTables>();

/** A device on which a user was signed in. */
export interface KnownDevice {
  readonly id: string;
  /** No second factor is asked for on it until then; null if one always is. */
  readonly remembered_until: number | null;
}

const selectDevice = statement((sql, p: TokenParts & { userId: number; now: number }) =>
  sql
    .selectFrom('known_devices')
    .select(['id', 'remembered_until'])
    .where('id', '=', p.id)
    .where('secret_hash', '=', p.secretHash)
    .where('user_id', '=', p.userId)
    .where('expires_at', '>', p.now),
);

/** The device of a token, if this user was signed in on it. */
export function findKnownDevice(
  db: Database,
  parts: TokenParts,
  userId: number,
  now: number,
): Promise<KnownDevice | undefined> {
  return db.first(selectDevice, { ...parts, userId, now });
}

const selectAny = statement((sql, p: { userId: number }) =>
  sql.selectFrom('known_devices').select('id').where('user_id', '=', p.userId).limit(1),
);

/** True if any device of the user is known. */
export async function hasDevices(db: Database, userId: number): Promise<boolean> {
  return (await db.first(selectAny, { userId })) !== undefined;
}

type NewDevice = Pick<NewToken, 'id' | 'secretHash'> & { userId: number; now: number; expiresAt: number };

const insertDevice = statement((sql, p: NewDevice) =>
  sql.insertInto('known_devices').values({
    id: p.id,
    user_id: p.userId,
    secret_hash: p.secretHash,
    created_at: p.now,
    expires_at: p.expiresAt,
  }),
);
const deleteOldest = removeOldest('known_devices');

/** Adds a device and forgets the user's oldest ones beyond the given number. */
export async function addDevice(tx: Database, device: NewDevice, kept: number): Promise<void> {
  await tx.run(insertDevice, device);
  await tx.run(deleteOldest, { userId: device.userId, newest: device.id, others: kept - 1 });
}

type Memory = { id: string; until: number; userAgent: string | null };

const updateMemory = statement((sql, p: Memory) =>
  sql
    .updateTable('known_devices')
    .set({ remembered_until: p.until, user_agent: p.userAgent })
    .where('id', '=', p.id),
);

/** Asks for no second factor on a device until then, as long as it is known. */
export async function rememberDevice(tx: Database, memory: Memory): Promise<void> {
  await tx.run(updateMemory, memory);
}

const clearMemory = statement((sql, p: { userId: number }) =>
  sql
    .updateTable('known_devices')
    .set({ remembered_until: null })
    .where('user_id', '=', p.userId)
    .where('remembered_until', 'is not', null),
);

/** Asks for a second factor on every device of the user again. */
export async function forgetMemories(tx: Database, userId: number): Promise<void> {
  await tx.run(clearMemory, { userId });
}

/** A device on which no second factor is asked for, as its owner sees it. */
export interface RememberedDevice {
  readonly id: string;
  readonly user_agent: string | null;
  readonly created_at: number;
  readonly remembered_until: number | null;
}

const selectRemembered = statement((sql, p: { userId: number; now: number }) =>
  sql
    .selectFrom('known_devices')
    .select(['id', 'user_agent', 'created_at', 'remembered_until'])
    .where('user_id', '=', p.userId)
    .where('remembered_until', '>', p.now)
    .orderBy('created_at', 'desc'),
);

export function listRemembered(db: Database, userId: number, now: number): Promise<RememberedDevice[]> {
  return db.run(selectRemembered, { userId, now });
}

/** A device without its secret, for its owner. */
export interface DeviceSummary extends RememberedDevice {
  readonly expires_at: number;
}

const selectKnown = statement((sql, p: { userId: number; now: number }) =>
  sql
    .selectFrom('known_devices')
    .select(['id', 'user_agent', 'created_at', 'remembered_until', 'expires_at'])
    .where('user_id', '=', p.userId)
    .where('expires_at', '>', p.now)
    .orderBy('created_at', 'desc'),
);

/** Every device on which the user is known, the newest first. */
export function listDevices(db: Database, userId: number, now: number): Promise<DeviceSummary[]> {
  return db.run(selectKnown, { userId, now });
}

const deleteOne = statement((sql, p: { userId: number; id: string }) =>
  sql.deleteFrom('known_devices').where('id', '=', p.id).where('user_id', '=', p.userId).returning('id'),
);

/** Forgets one device of the user's; false when the user has none of this handle. */
export async function removeDevice(db: Database, userId: number, id: string): Promise<boolean> {
  return (await db.first(deleteOne, { userId, id })) !== undefined;
}

const deleteByUser = statement((sql, p: { userId: number }) =>
  sql.deleteFrom('known_devices').where('user_id', '=', p.userId),
);

/** Forgets every device of a user. */
export async function removeDevicesOf(tx: Database, userId: number): Promise<void> {
  await tx.run(deleteByUser, { userId });
}

const deleteExpired = removeExpired('known_devices');

/** Removes up to `limit` expired devices and says how many. */
export async function removeExpiredDevices(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}
