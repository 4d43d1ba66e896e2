// The tables of pending authentications and of known devices.
import type { Generated } from 'kysely';
import type { Instant } from '../../db/schema.ts';

/**
 * A pending authentication: the first factor was verified, the second is required. Admits to the second factor only.
 */
interface PendingAuthenticationTable {
  id: string;
  user_id: number;
  secret_hash: Uint8Array;
  /** Kind of the requirement: an enrolled factor, or enrolling one. */
  demand: string;
  /** The factors verified so far, as in a session. */
  factors: string;
  /** The user's password_changed_at when the first factor was verified. */
  password_changed_at: Instant;
  /** 1 if the session is to end with the browser, otherwise 0. */
  ends_with_browser: Generated<number>;
  created_at: Instant;
  expires_at: Instant;
}

interface KnownDeviceTable {
  id: string;
  user_id: number;
  secret_hash: Uint8Array;
  created_at: Instant;
  expires_at: Instant;
  /** Until then a sign-in on the device needs no second factor; null if it always needs one. */
  remembered_until: Instant | null;
  /** User agent of the browser that was remembered, cut to a bounded length. */
  user_agent: string | null;
}

export interface SignInTables {
  pending_logins: PendingAuthenticationTable;
  known_devices: KnownDeviceTable;
}
