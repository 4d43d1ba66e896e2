// The stored data of passkeys, which is removed, exported and counted whether the options offer passkeys or not.
import { formatInstant } from '../../kit/clock.ts';
import type { Database } from '../../db/database.ts';
import type { StoredFactor } from '../../identity/factor/factor.ts';
import { listPasskeys, removeExpiredChallenges, removePasskeysOf } from './store.ts';

export class PasskeyData implements StoredFactor {
  readonly name = 'passkey';
  readonly isBackup = false;
  /** Possession of a key. The device tells at each use whether it also verified its user. */
  readonly type = 'possession';
  readonly amr = ['pop'];

  async isEnrolled(db: Database, userId: number): Promise<boolean> {
    return (await listPasskeys(db, userId)).length > 0;
  }

  async exportOf(db: Database, userId: number): Promise<object> {
    const rows = await listPasskeys(db, userId);
    return {
      passkeys: rows.map(({ id, name, kind, storage, transports, aaguid, ...row }) => ({
        id,
        name,
        kind,
        storage,
        transports: JSON.parse(transports) as string[], // written by verifyCreation()
        aaguid,
        credential_id: row.credential_id,
        created_at: formatInstant(row.created_at),
        ...(row.last_used_at !== null && { last_used_at: formatInstant(row.last_used_at) }),
      })),
    };
  }

  removeAll(tx: Database, userId: number, since?: number): Promise<void> {
    return removePasskeysOf(tx, userId, since);
  }

  /** Removes answered challenges that have expired. */
  purge(db: Database, now: number, limit: number): Promise<number> {
    return removeExpiredChallenges(db, now, limit);
  }
}
