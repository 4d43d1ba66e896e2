// The table `sessions`.
import type { Generated } from 'kysely';
import type { Instant } from '../../db/schema.ts';

interface SessionTable {
  /** Public handle, a UUID. */
  id: string;
  user_id: number;
  /** SHA-256 of the secret part. */
  secret_hash: Uint8Array;
  created_at: Instant;
  /** Written at most every few minutes, so it may lag behind. */
  last_seen_at: Instant;
  expires_at: Instant;
  /** The factors that were verified and when: a list of FactorUse as JSON. */
  factors: Generated<string>;
  /** User agent of the login, cut to a bounded length. */
  device: string | null;
  /** Network address of the login; null if it is not known. */
  address: string | null;
  /** 1 if the browser forgets the cookie when it ends, otherwise 0. */
  ends_with_browser: Generated<number>;
}

export interface SessionTables {
  sessions: SessionTable;
}
