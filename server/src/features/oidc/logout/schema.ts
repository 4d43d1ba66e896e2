// The table of logouts: what relying parties do not know yet.
import type { Generated } from 'kysely';
import type { Instant } from '../../../db/schema.ts';

export interface LogoutTable {
  id: string;
  client_id: string;
  /** The `sub` of the user. */
  subject: string;
  /** The `sid` of the session at the client; null if all sessions of the user there end. */
  sid: string | null;
  /** The client's `backchannel_logout_uri`, as it was when the session ended. */
  uri: string;
  /** Algorithm of the client's tokens. */
  alg: string;
  created_at: Instant;
  /** When it is delivered next; while an instance delivers it, the end of the lease. */
  next_at: Instant;
  /** When the row is removed, delivered or not. */
  expires_at: Instant;
  attempts: Generated<number>;
  last_error: string | null;
  given_up_at: Instant | null;
}

export interface LogoutTables {
  oidc_logouts: LogoutTable;
}
