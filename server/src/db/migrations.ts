// The schema, as steps. Forward only, numbered by their place, never edited once released. A running older release
// keeps working beside a newer schema: a step only adds; what it replaces is dropped a release later.
import type { TypeNames } from './engine.ts';

export interface Migration {
  /** Says in the log what the step is for. */
  readonly name: string;
  readonly statements: (type: TypeNames) => readonly string[];
}

export const migrations: readonly Migration[] = [
  {
    name: 'users, sessions and one-time tokens',
    statements: (type) => [
      `create table users (
        id ${type.serial},
        email ${type.text} not null,
        email_key ${type.text} not null,
        hashed_password ${type.text},
        created_at ${type.instant} not null,
        password_changed_at ${type.instant} not null
      ) ${type.table}`,
      `create unique index users_by_email_key on users (email_key)`,
      `create table sessions (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        secret_hash ${type.bytes} not null,
        created_at ${type.instant} not null,
        last_seen_at ${type.instant} not null,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create index sessions_by_user on sessions (user_id, created_at)`,
      `create index sessions_by_expiry on sessions (expires_at)`,
      `create table one_time_tokens (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        kind ${type.text} not null,
        secret_hash ${type.bytes} not null,
        created_at ${type.instant} not null,
        expires_at ${type.instant} not null,
        spent_at ${type.instant}
      ) ${type.keyedTable}`,
      `create unique index one_time_tokens_by_user on one_time_tokens (user_id, kind)`,
      `create index one_time_tokens_by_expiry on one_time_tokens (expires_at)`,
    ],
  },
];
