// The table `attempts`.
import type { Instant } from '../../db/schema.ts';

interface AttemptTable {
  /** Digest of an address, account, or known device. */
  subject: string;
  factor: string;
  /** Consecutive attempts since the last success; each is counted before it is verified. */
  failures: number;
  last_at: Instant;
  /** The next attempt is allowed from this instant on. */
  next_at: Instant;
}

export interface AttemptTables {
  attempts: AttemptTable;
}
