// Statements of the table `known_devices`: browsers in which a user has signed in before.
import type { Database } from '../../db/database.ts';
import { removeExpired, removeOldest } from '../../db/row-builders.ts';
import { statementsFor } from '../../db/statement.ts';
import type { NewToken, TokenParts } from '../../kit/secret.ts';
import type { SignInTables } from './schema.ts';

const { statement } = statementsFor<SignInTables>();

/** A device on which a user has signed in. */
export interface KnownDevice {
  readonly id: string;
  /** Until then a sign-in on it needs no second factor; null if it always needs one. */
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

/** Returns the device of a token, if this user has signed in on it. */
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

/** Returns true if any device of the user is known. */
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

/** Adds a device and removes the user's oldest ones beyond the given number. */
export async function addDevice(tx: Database, device: NewDevice, kept: number): Promise<void> {
  await tx.run(insertDevice, device);
  await tx.run(deleteOldest, { userId: device.userId, newest: device.id, others: kept - 1 });
}

type Remembering = { id: string; until: number; userAgent: string | null };

const updateRemembered = statement((sql, p: Remembering) =>
  sql
    .updateTable('known_devices')
    .set({ remembered_until: p.until, user_agent: p.userAgent })
    .where('id', '=', p.id),
);

/** Lets a known device sign in without a second factor until the given instant. */
export async function rememberDevice(tx: Database, remembering: Remembering): Promise<void> {
  await tx.run(updateRemembered, remembering);
}

const clearRemembered = statement((sql, p: { userId: number }) =>
  sql
    .updateTable('known_devices')
    .set({ remembered_until: null })
    .where('user_id', '=', p.userId)
    .where('remembered_until', 'is not', null),
);

/** Lets no device of the user sign in without a second factor any longer. */
export async function clearRememberedDevices(tx: Database, userId: number): Promise<void> {
  await tx.run(clearRemembered, { userId });
}

/** A device that needs no second factor, as its user sees it. */
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

/** Lists the devices of the user that need no second factor, newest first. */
export function listRemembered(db: Database, userId: number, now: number): Promise<RememberedDevice[]> {
  return db.run(selectRemembered, { userId, now });
}

/** A known device without its secret, for its user. */
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

/** Lists all known devices of the user, newest first. */
export function listDevices(db: Database, userId: number, now: number): Promise<DeviceSummary[]> {
  return db.run(selectKnown, { userId, now });
}

const deleteOne = statement((sql, p: { userId: number; id: string }) =>
  sql.deleteFrom('known_devices').where('id', '=', p.id).where('user_id', '=', p.userId).returning('id'),
);

/** Removes one device of the user; returns false if the user has no device with this handle. */
export async function removeDevice(db: Database, userId: number, id: string): Promise<boolean> {
  return (await db.first(deleteOne, { userId, id })) !== undefined;
}

const deleteByUser = statement((sql, p: { userId: number }) =>
  sql.deleteFrom('known_devices').where('user_id', '=', p.userId),
);

/** Removes all devices of a user. */
export async function removeDevicesOf(tx: Database, userId: number): Promise<void> {
  await tx.run(deleteByUser, { userId });
}

const deleteExpired = removeExpired('known_devices');

/** Removes up to `limit` expired devices and returns how many. */
export async function removeExpiredDevices(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}
