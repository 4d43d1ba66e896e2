// Adds users. The unique indexes decide whether an address or an identifier is taken.
import { randomUUID } from 'node:crypto';
import type { Database } from '../db/database.ts';
import { statementsFor } from '../db/statement.ts';
import type { EmailAddress } from './email-address.ts';
import { toUser, userColumns, type UserTables } from './schema.ts';
import type { User } from './user.ts';

const { statement } = statementsFor<UserTables>();

type NewUser = {
  email: string;
  emailKey: string;
  hashedPassword: string | null;
  language: string | null;
  provisionalUntil: number | null;
  emailVerifiedAt: number | null;
  subject: string;
  externalId: string | null;
  name: string | null;
  now: number;
};

/** Checks for the address first only to avoid gaps between ids; the unique index decides. */
const insertUser = statement((sql, p: NewUser) =>
  sql
    .insertInto('users')
    .columns([
      'email',
      'email_key',
      'hashed_password',
      'created_at',
      'password_changed_at',
      'language',
      'provisional_until',
      'email_verified_at',
      'subject',
      'external_id',
      'name',
    ])
    .expression(
      sql
        .selectNoFrom(({ val }) => [
          val(p.email).as('email'),
          val(p.emailKey).as('email_key'),
          val(p.hashedPassword).as('hashed_password'),
          val(p.now).as('created_at'),
          val(p.now).as('password_changed_at'),
          val(p.language).as('language'),
          val(p.provisionalUntil).as('provisional_until'),
          val(p.emailVerifiedAt).as('email_verified_at'),
          val(p.subject).as('subject'),
          val(p.externalId).as('external_id'),
          val(p.name).as('name'),
        ])
        .where(({ not, exists, selectFrom }) =>
          not(exists(selectFrom('users').select('id').where('email_key', '=', p.emailKey))),
        ),
    )
    .onConflict((conflict) => conflict.column('email_key').doNothing())
    .returning(userColumns),
);

/** Attributes of a new user that most callers do not set. */
export interface NewUserOptions {
  readonly language?: string | undefined;
  /** For an account of a public sign-up: when it is removed unless its address is confirmed. */
  readonly provisionalUntil?: number | undefined;
  /** The address counts as confirmed from the start: the caller knows that it is the user's. */
  readonly emailVerified?: boolean | undefined;
  /** Identifiers and name that the user has in another system; without a subject it gets a new one. */
  readonly subject?: string | undefined;
  readonly externalId?: string | undefined;
  readonly name?: string | undefined;
}

/**
 * Returns a new subject. It is random: applications see it, and a UUID of version 7 would show them when the account was
 * created.
 */
export function newSubject(): string {
  return randomUUID();
}

/**
 * Adds a user. Returns `undefined` if the address is taken; the unique index decides.
 * @throws {UniqueViolation} if another user has the subject or the external id.
 */
export async function addUser(
  db: Database,
  email: EmailAddress,
  hashedPassword: string | null,
  now: number,
  { language, provisionalUntil, emailVerified, subject, externalId, name }: NewUserOptions = {},
): Promise<User | undefined> {
  const row = await db.first(insertUser, {
    email: email.text,
    emailKey: email.key,
    hashedPassword,
    language: language ?? null,
    provisionalUntil: provisionalUntil ?? null,
    emailVerifiedAt: emailVerified === true ? now : null,
    subject: subject ?? newSubject(),
    externalId: externalId ?? null,
    name: name ?? null,
    now,
  });
  return row && toUser(row);
}
