// Removes what the provider has issued when it expires.
import type { Clock } from '../../../kit/clock.ts';
import type { Database } from '../../../db/database.ts';
import type { Purgeable } from '../../../identity/contribution.ts';
import { removeExpiredGrants } from './grant-store.ts';
import { removeExpiredInteractions } from './interaction-store.ts';
import { removeExpiredTokens, removeExpiredUses } from './token-store.ts';

/** Rows of the provider that expire. */
export function expiringRows(db: Database, clock: Clock): Purgeable[] {
  return [
    { name: 'tokens of applications', purge: (limit) => removeExpiredTokens(db, clock(), limit) },
    { name: 'grants of applications', purge: (limit) => removeExpiredGrants(db, clock(), limit) },
    { name: 'requests of applications', purge: (limit) => removeExpiredInteractions(db, clock(), limit) },
    { name: 'used identifiers', purge: (limit) => removeExpiredUses(db, clock(), limit) },
  ];
}
