// The table `attempts`.
import type { Instant } from '../../db/schema.ts';

interface AttemptTable {
  /** `email:` and a digest of the address, `user:` and its id, or `device:` and its id. */
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
