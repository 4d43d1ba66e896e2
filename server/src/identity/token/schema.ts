// The table `one_time_tokens`.
import type { Generated } from 'kysely';
import type { Instant } from '../../db/schema.ts';

interface OneTimeTokenTable {
  id: string;
  user_id: number;
  /** What the token is for; few rows of a kind per user. */
  kind: string;
  secret_hash: Uint8Array;
  created_at: Instant;
  expires_at: Instant;
  spent_at: Instant | null;
  /** The address that the token confirms or restores, as entered; null if it does neither. */
  target: string | null;
  /** Keyed digest of the short code and of the initiating browser; null without a code. */
  code_mac: string | null;
  code_expires_at: Instant | null;
  /** Unused: a pending registration has its initiating browser. Earlier builds wrote it. */
  request_mac: string | null;
  /** Attempts at the codes of the kind; a newer row takes over the count. */
  code_tries: Generated<number>;
}

export interface TokenTables {
  one_time_tokens: OneTimeTokenTable;
}
