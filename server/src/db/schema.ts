// The tables as the stores see them, alike on both engines: integers, text, instants as Unix milliseconds, bytes for
// digests. A room that adds a table adds its interface here and a step to migrations.ts.
import type { Generated } from 'kysely';

/** Unix milliseconds. */
type Instant = number;

export interface UserTable {
  id: Generated<number>;
  /** As its owner typed it at registration; mail goes to this. */
  email: string;
  /** Normal form, unique: see user/email-address.ts. */
  email_key: string;
  /** PHC string or a foreign hash; null for an account without a password. */
  hashed_password: string | null;
  created_at: Instant;
  /** Changes with every new password: a session is only ever added for the password that was verified. */
  password_changed_at: Instant;
}

export interface SessionTable {
  /** Public handle, a UUID. */
  id: string;
  user_id: number;
  /** SHA-256 of the secret part. */
  secret_hash: Uint8Array;
  created_at: Instant;
  /** At most a few minutes behind the truth. */
  last_seen_at: Instant;
  expires_at: Instant;
}

export interface OneTimeTokenTable {
  id: string;
  user_id: number;
  /** What it may be spent on; at most one row of a kind per user. */
  kind: string;
  secret_hash: Uint8Array;
  created_at: Instant;
  expires_at: Instant;
  spent_at: Instant | null;
}

export interface SchemaVersionTable {
  id: number;
  version: number;
}

export interface Schema {
  users: UserTable;
  sessions: SessionTable;
  one_time_tokens: OneTimeTokenTable;
  bienvenue_schema: SchemaVersionTable;
}
