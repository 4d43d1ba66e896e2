// Declares the table with which a database recognizes its keys.
import type { Instant } from '../db/schema.ts';

/** The keys that the database was used with. It stores a digest that identifies each key, never the key. */
interface KeyCheckTable {
  /** Id of the key. */
  id: string;
  /** Keyed digest of a constant. */
  check_value: string;
  created_at: Instant;
}

export interface KeyTables {
  key_checks: KeyCheckTable;
}
