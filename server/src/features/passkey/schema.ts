// The tables of passkeys and of answered challenges.
import type { Instant } from '../../db/schema.ts';

export interface PasskeyTable {
  /** Public handle, a UUID. */
  id: string;
  user_id: number;
  /** How the authenticator identifies the account: random, base64url, one per user (WebAuthn Level 3 §14.6.1). */
  user_handle: string;
  /** Unique, base64url. */
  credential_id: string;
  /** COSE key. */
  public_key: Uint8Array;
  /** Signature counter of the authenticator; always 0 where it has none. */
  counter: number;
  /** `passkey`: verifies its user and signs in alone; `security_key`: a second factor only. */
  kind: string;
  /** `device`, or for keys that can leave it `syncable` or `synced`. */
  storage: string;
  /** Transports, as a JSON list. */
  transports: string;
  /** Model of the authenticator; zeros where it is not disclosed. */
  aaguid: string;
  /** Name given by the user. */
  name: string;
  created_at: Instant;
  last_used_at: Instant | null;
}

/** Every column of passkeys, for statements that read whole rows: columns are named, never `*`. */
export const passkeyColumns = [
  'id',
  'user_id',
  'user_handle',
  'credential_id',
  'public_key',
  'counter',
  'kind',
  'storage',
  'transports',
  'aaguid',
  'name',
  'created_at',
  'last_used_at',
] as const satisfies readonly (keyof PasskeyTable)[];

/** A WebAuthn challenge that was consumed. */
interface SpentChallengeTable {
  id: string;
  expires_at: Instant;
}

export interface PasskeyTables {
  passkeys: PasskeyTable;
  spent_challenges: SpentChallengeTable;
}
