// The stored data of authenticator apps, which is removed, exported and counted whether the options offer them or not.
import { formatInstant } from '../../kit/clock.ts';
import type { Database } from '../../db/database.ts';
import type { StoredFactor } from '../../identity/factor/factor.ts';
import { listAuthenticators, listEveryAuthenticator, removeAuthenticatorsOf } from './store.ts';

export class TotpData implements StoredFactor {
  readonly name = 'totp';
  readonly isBackup = false;
  readonly type = 'possession';
  readonly amr = ['otp'];

  async isEnrolled(db: Database, userId: number): Promise<boolean> {
    return (await listAuthenticators(db, userId)).length > 0;
  }

  async exportOf(db: Database, userId: number): Promise<object> {
    const rows = await listEveryAuthenticator(db, userId);
    return {
      authenticators: rows.map(({ id, name, created_at, confirmed_at, last_used_at }) => ({
        id,
        name,
        created_at: formatInstant(created_at),
        ...(confirmed_at !== null && { confirmed_at: formatInstant(confirmed_at) }),
        ...(last_used_at !== null && { last_used_at: formatInstant(last_used_at) }),
      })),
    };
  }

  removeAll(tx: Database, userId: number, since?: number): Promise<void> {
    return removeAuthenticatorsOf(tx, userId, since);
  }
}
