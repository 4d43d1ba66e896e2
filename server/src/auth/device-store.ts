// The known_devices table: browsers on which an account was signed in before.
import type { Database } from '../db/database.ts';
import { statement } from '../db/statement.ts';
import type { NewToken, TokenParts } from '../kit/secret.ts';

const selectDevice = statement((sql, p: TokenParts & { userId: number; now: number }) =>
  sql
    .selectFrom('known_devices')
    .select('id')
    .where('id', '=', p.id)
    .where('secret_hash', '=', p.secretHash)
    .where('user_id', '=', p.userId)
    .where('expires_at', '>', p.now),
);

/** True if the token is of a device on which this user was signed in. */
export async function isKnownDevice(
  db: Database,
  parts: TokenParts,
  userId: number,
  now: number,
): Promise<boolean> {
  return (await db.first(selectDevice, { ...parts, userId, now })) !== undefined;
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
const deleteOldest = statement((sql, p: { userId: number; newest: string; others: number }) =>
  sql
    .deleteFrom('known_devices')
    .where('user_id', '=', p.userId)
    .where('id', '<>', p.newest)
    .where('id', 'not in', (nested) =>
      nested
        .selectFrom('known_devices')
        .select('id')
        .where('user_id', '=', p.userId)
        .where('id', '<>', p.newest)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(p.others),
    ),
);

/** Adds a device and forgets the user's oldest ones beyond the given number. */
export async function addDevice(tx: Database, device: NewDevice, kept: number): Promise<void> {
  await tx.run(insertDevice, device);
  await tx.run(deleteOldest, { userId: device.userId, newest: device.id, others: kept - 1 });
}

const deleteByUser = statement((sql, p: { userId: number }) =>
  sql.deleteFrom('known_devices').where('user_id', '=', p.userId),
);

/** Forgets every device of a user. */
export async function removeDevicesOf(tx: Database, userId: number): Promise<void> {
  await tx.run(deleteByUser, { userId });
}

const deleteExpired = statement((sql, p: { now: number; limit: number }) =>
  sql
    .deleteFrom('known_devices')
    .where('id', 'in', (nested) =>
      nested.selectFrom('known_devices').select('id').where('expires_at', '<=', p.now).limit(p.limit),
    )
    .returning('id'),
);

/** Removes up to `limit` expired devices and says how many. */
export async function removeExpiredDevices(db: Database, now: number, limit: number): Promise<number> {
  return (await db.run(deleteExpired, { now, limit })).length;
}
