// The table of recovery codes.
import type { Instant } from '../../db/schema.ts';

interface RecoveryCodeTable {
  id: string;
  user_id: number;
  /** Keyed digest of the account and the code. */
  code_mac: string;
  created_at: Instant;
  spent_at: Instant | null;
  /** When a newer set replaces the code, until the user has saved that one; null for codes of the newest set. */
  ends_at: Instant | null;
}

export interface RecoveryCodeTables {
  recovery_codes: RecoveryCodeTable;
}
