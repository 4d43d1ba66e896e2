// Removes accounts. The rules remove a user only here: by a cascade of the database alone, sessions and grants would end
// without the contributions of modules, and applications would not be notified.
import type { Database } from '../db/database.ts';
import { removeUser } from '../user/store.ts';
import type { AccessRevoker } from './contribution.ts';

export interface RemovalNeeds {
  readonly access: AccessRevoker;
  /** Forgets failed attempts. The class Attempts does it. */
  readonly attempts: { forgetAll(tx: Database, userId: number): Promise<void> };
}

/**
 * Ends all access to an account, then removes its user with all dependent rows and its failed attempts. Inside a
 * transaction that has locked the user for its removal, such as by `lockUserToRemove`.
 */
export async function removeAccount(
  tx: Database,
  userId: number,
  { access, attempts }: RemovalNeeds,
): Promise<void> {
  await access.revoke(tx, userId);
  await removeUser(tx, userId);
  await attempts.forgetAll(tx, userId);
}
