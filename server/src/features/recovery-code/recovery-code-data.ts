// The stored data of recovery codes, which is removed, exported and counted whether the options offer them or not.
import type { Database } from '../../db/database.ts';
import type { StoredFactor } from '../../identity/factor/factor.ts';
import { countCodes, removeCodesOf } from './store.ts';

export class RecoveryCodeData implements StoredFactor {
  readonly name = 'recovery_code';
  readonly isBackup = true;
  /** A list that the user keeps (NIST SP 800-63B-4 §3.1.2). */
  readonly type = 'possession';
  readonly amr = ['otp'];

  async isEnrolled(db: Database, userId: number): Promise<boolean> {
    return (await countCodes(db, userId)) > 0;
  }

  async exportOf(db: Database, userId: number): Promise<object> {
    return { left: await countCodes(db, userId) };
  }

  removeAll(tx: Database, userId: number, since?: number): Promise<void> {
    return removeCodesOf(tx, userId, since);
  }
}
