// Declares the users table, and converts its rows.
import type { Generated, Selectable } from 'kysely';
import type { Instant } from '../db/schema.ts';
import type { User } from './user.ts';

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
  /** Opaque stable identifier, unique. Null for a row of an older release until `fillSubject`. */
  subject: string | null;
  /** Identifier that another system gave to the user, unique; null without one. */
  external_id: string | null;
  name: string | null;
  /** `https` URL. */
  picture: string | null;
}

/** Metadata has a table of its own: it may be large, and rows of users are read and written often. */
interface MetadataTable {
  user_id: number;
  /** A JSON object, or null for none. */
  public_metadata: string | null;
  private_metadata: string | null;
}

/** The columns of users, for statements that read whole rows: columns are named, never `*`. */
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
  'subject',
  'external_id',
  'name',
  'picture',
] as const satisfies readonly (keyof UserTable)[];

export interface UserTables {
  users: UserTable;
  user_metadata: MetadataTable;
}

/** Converts a row to a user. */
export function toUser(row: Selectable<UserTable>): User {
  return {
    id: row.id,
    email: row.email,
    hashedPassword: row.hashed_password,
    createdAt: row.created_at,
    passwordChangedAt: row.password_changed_at,
    emailVerifiedAt: row.email_verified_at,
    disabledAt: row.disabled_at,
    deleteAt: row.delete_at,
    provisionalUntil: row.provisional_until,
    lastSignInAt: row.last_sign_in_at,
    language: row.language,
    subject: row.subject,
    externalId: row.external_id,
    name: row.name,
    picture: row.picture,
  };
}
