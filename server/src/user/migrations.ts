import { concurrentIndex, type Migration } from '../db/migration.ts';

export const userMigrations: readonly Migration[] = [
  {
    name: 'users',
    formerly: 1,
    statements: (type) => [
      `create table users (
        id ${type.serial},
        email ${type.text} not null,
        email_key ${type.text} not null,
        hashed_password ${type.text},
        created_at ${type.instant} not null,
        password_changed_at ${type.instant} not null,
        email_verified_at ${type.instant},
        disabled_at ${type.instant}
      ) ${type.table}`,
      `create unique index users_by_email_key on users (email_key)`,
    ],
  },
  {
    name: 'language of a user',
    formerly: 6,
    statements: (type) => [`alter table users add column language ${type.text}`],
  },
  {
    name: 'closed accounts',
    formerly: 13,
    statements: (type) => [
      `alter table users add column delete_at ${type.instant}`,
      `create index users_by_deletion on users (delete_at) where delete_at is not null`,
    ],
  },
  {
    // Accounts from before this step stay null: how they were made is not known, so they are never removed.
    name: 'provisional accounts',
    statements: (type) => [
      `alter table users add column provisional_until ${type.instant}`,
      `create index users_by_provision on users (provisional_until) where provisional_until is not null`,
    ],
  },
  {
    // Null for accounts that have not signed in since this step.
    name: 'last sign-in',
    statements: (type) => [`alter table users add column last_sign_in_at ${type.instant}`],
  },
  {
    // An older release that runs at the same time adds users without a subject: fillSubject() fills it.
    name: 'details of users',
    statements: (type) => [
      ...['subject', 'external_id', 'name', 'picture'].map(
        (column) => `alter table users add column ${column} ${type.text}`,
      ),
      `create table user_metadata (
        user_id ${type.integer} not null primary key references users (id) on delete cascade,
        public_metadata ${type.text},
        private_metadata ${type.text}
      ) ${type.table}`,
    ],
  },
  concurrentIndex('users_by_subject', 'users (subject) where subject is not null', 'unique'),
  concurrentIndex('users_by_external_id', 'users (external_id) where external_id is not null', 'unique'),
];
