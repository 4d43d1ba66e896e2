// Declares the users table.
import type { Generated } from 'kysely';
import type { Instant } from '../db/schema.ts';

export interface UserTable {
  id: Generated<number>;
  /** As the user typed it; mails are sent to this address. */
  email: string;
  /** Normal form, unique (email-address.ts). */
  email_key: string;
  /** PHC string or a foreign hash; null for an account without a password. */
  hashed_password: string | null;
  created_at: Instant;
  /** Changes with every new password: a session is added only for the password that was verified. */
  password_changed_at: Instant;
  /** When the user last confirmed the address; null if never. */
  email_verified_at: Instant | null;
  /** Since then the user cannot sign in and has no active session. Set by the operator, or together with delete_at. */
  disabled_at: Instant | null;
  /** When the closed account is removed; null if it is not closed. */
  delete_at: Instant | null;
  /** When the account of a public sign-up is removed unless its address is confirmed; null for every other account. */
  provisional_until: Instant | null;
  /** When a session of the user was last created; null if never. */
  last_sign_in_at: Instant | null;
  /** Language tag of the user's pages and mails; null if unknown. */
  language: string | null;
}

/** All columns of users, for statements that read whole rows: columns are named, never `*`. */
export const userColumns = [
  'id',
  'email',
  'email_key',
  'hashed_password',
  'created_at',
  'password_changed_at',
  'email_verified_at',
  'disabled_at',
  'delete_at',
  'provisional_until',
  'last_sign_in_at',
  'language',
] as const satisfies readonly (keyof UserTable)[];

export interface UserTables {
  users: UserTable;
}
