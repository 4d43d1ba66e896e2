// The table `pending_registrations`.
import type { Instant } from '../../db/schema.ts';

/**
 * A registration of an address that is not confirmed. When it is confirmed, one takes effect and the others are
 * removed.
 */
interface PendingRegistrationTable {
  id: string;
  user_id: number;
  /** The address as it was typed. */
  email: string;
  /** PHC string; null for a registration without a password. */
  hashed_password: string | null;
  /** Name of the factor that verifies `credential`; null for a registration with a password. */
  factor: string | null;
  /** The authenticator, in the form of its factor; null for a registration with a password. */
  credential: string | null;
  /** SHA-256 of the token of the initiating browser; null for a program. */
  browser_hash: Uint8Array | null;
  created_at: Instant;
  expires_at: Instant;
}

export interface RegistrationTables {
  pending_registrations: PendingRegistrationTable;
}
