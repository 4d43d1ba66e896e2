import type { Migration } from '../db/migration.ts';

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
];
