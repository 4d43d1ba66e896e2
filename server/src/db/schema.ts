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
  /** When the person last proved that mail to the address reaches them; null if never. */
  email_verified_at: Instant | null;
  /** No door opens for the user, and no session of theirs is live: set by the operator, or with delete_at. */
  disabled_at: Instant | null;
  /** Its owner closed the account: it is removed then; null for every other one. */
  delete_at: Instant | null;
  /** What the person reads: a language tag; null if nobody has said. */
  language: string | null;
}

interface SessionTable {
  /** Public handle, a UUID. */
  id: string;
  user_id: number;
  /** SHA-256 of the secret part. */
  secret_hash: Uint8Array;
  created_at: Instant;
  /** At most a few minutes behind the truth. */
  last_seen_at: Instant;
  expires_at: Instant;
  /** How and when its holder proved to be the user: a list of FactorUse as JSON. */
  factors: Generated<string>;
  /** User agent of the login, cut to a bounded length. */
  device: string | null;
}

/** Somebody who gave a first factor and owes the second. Opens no door but that of the second. */
interface PendingAuthenticationTable {
  id: string;
  user_id: number;
  secret_hash: Uint8Array;
  /** What is owed: a factor that is set, or setting one. */
  demand: string;
  /** The factors given so far, as in a session. */
  factors: string;
  /** Of the user when the first factor was verified. */
  password_changed_at: Instant;
  created_at: Instant;
  expires_at: Instant;
}

interface OneTimeTokenTable {
  id: string;
  user_id: number;
  /** What it may be spent on; at most one row of a kind per user. */
  kind: string;
  secret_hash: Uint8Array;
  created_at: Instant;
  expires_at: Instant;
  spent_at: Instant | null;
  /** The address that the token proves or restores, as it was written; null where it proves none. */
  target: string | null;
  /** Keyed digest of the short code and of the request that asked for it; null where there is no code. */
  code_mac: string | null;
  code_expires_at: Instant | null;
  /** Keyed digest of the request that asked for it: the same browser is known by it. */
  request_mac: string | null;
  /** Codes tried; a newer code keeps the count. */
  code_tries: Generated<number>;
}

interface AttemptTable {
  /** Whose tries: an account, a known device, or the digest of an address that nobody has. */
  subject: string;
  factor: string;
  /** Consecutive tries since the last success; each is counted before it is verified. */
  failures: number;
  last_at: Instant;
  /** No try before this instant. */
  next_at: Instant;
}

interface KnownDeviceTable {
  id: string;
  user_id: number;
  secret_hash: Uint8Array;
  created_at: Instant;
  expires_at: Instant;
  /** No second factor is asked for on it until then; null if one always is. */
  remembered_until: Instant | null;
  /** User agent of whoever had it remembered, cut to a bounded length. */
  user_agent: string | null;
}

export interface AuditEventTable {
  /** UUID version 7, so that ids ascend with time. */
  id: string;
  at: Instant;
  event: string;
  outcome: string;
  /** Name of the event in the module that declares it; null in rows of form 1 alone. */
  reason: string | null;
  /** What else is recorded, as a JSON object; null where there is nothing else. */
  facts: string | null;
  /** Kind of the actor. */
  actor: string;
  /** Which one of its kind: a user's id, a client's. */
  actor_id: string | null;
  /** The account concerned; no foreign key, since the record outlives it. */
  user_id: number | null;
  address: string | null;
  device: string | null;
  request_id: string | null;
  /** The thing that was changed beside the account: `session` or `device`, and its public handle. */
  target_kind: string | null;
  target_id: string | null;
  /** Which canonical form the digest is made of. */
  form: number;
  /** Keyed digest of the columns above: a row that we did not write has none that fits. */
  mac: string;
  /** Place in the chain; null until the row is sealed, a moment after it was written. */
  seal_number: number | null;
  /** Keyed digest of the seal before and of this row's mac. */
  seal: string | null;
}

/** One row: the ends of the audit chain. */
export interface AuditChainTable {
  id: number;
  /** What the first kept row is chained to. */
  first_number: number;
  first_seal: string;
  last_number: number;
  last_seal: string;
}

export interface MailTable {
  id: string;
  user_id: number | null;
  kind: string;
  /** The stored address of the account, never one that somebody typed. */
  recipient: string;
  /** Subject and text, encrypted, since a token may be in it; null once the mail is done with. */
  content: string | null;
  created_at: Instant;
  /** No try before this instant. */
  next_at: Instant;
  /** What it says is void from here on: no try after. */
  expires_at: Instant;
  tries: number;
  sent_at: Instant | null;
  given_up_at: Instant | null;
  last_error: string | null;
}

interface TotpAuthenticatorTable {
  id: string;
  user_id: number;
  /** As its owner calls it. */
  name: string;
  /** Base32, encrypted and tied to the row. */
  seed: string;
  created_at: Instant;
  /** When its first code proved it; it counts for nothing before. */
  confirmed_at: Instant | null;
  /** The newest step of 30 s whose code was taken: no earlier one is. */
  last_step: number | null;
  last_used_at: Instant | null;
}

interface RecoveryCodeTable {
  id: string;
  user_id: number;
  /** Keyed digest of the account and the code. */
  code_mac: string;
  created_at: Instant;
  spent_at: Instant | null;
}

export interface PasskeyTable {
  /** Public handle, a UUID. */
  id: string;
  user_id: number;
  /** What the authenticator knows the account by: random, base64url, one per user (WebAuthn Level 3 §14.6.1). */
  user_handle: string;
  /** Unique, base64url. */
  credential_id: string;
  /** COSE key. */
  public_key: Uint8Array;
  /** Of its uses, as the authenticator counts them; 0 for ever where it does not. */
  counter: number;
  /** `passkey`: it verifies its user, and signs in by itself; `security_key`: a second factor only. */
  kind: string;
  /** `device`, or what leaves it: `syncable`, `synced`. */
  storage: string;
  /** How browsers reach it: a list as JSON. */
  transports: string;
  /** Make of the authenticator; zeros where it does not say. */
  aaguid: string;
  /** As its owner calls it. */
  name: string;
  created_at: Instant;
  last_used_at: Instant | null;
}

/** A WebAuthn challenge that was answered. */
interface SpentChallengeTable {
  id: string;
  expires_at: Instant;
}

/** The keys that the database was used with: what they are known by, never the keys. */
interface KeyCheckTable {
  /** Id of the key. */
  id: string;
  /** Keyed digest of a constant. */
  check_value: string;
  created_at: Instant;
}

interface SchemaVersionTable {
  id: number;
  version: number;
}

export interface Schema {
  users: UserTable;
  sessions: SessionTable;
  pending_logins: PendingAuthenticationTable;
  one_time_tokens: OneTimeTokenTable;
  attempts: AttemptTable;
  known_devices: KnownDeviceTable;
  audit_events: AuditEventTable;
  audit_chain: AuditChainTable;
  mails: MailTable;
  totp_authenticators: TotpAuthenticatorTable;
  recovery_codes: RecoveryCodeTable;
  passkeys: PasskeyTable;
  spent_challenges: SpentChallengeTable;
  key_checks: KeyCheckTable;
  bienvenue_schema: SchemaVersionTable;
}
