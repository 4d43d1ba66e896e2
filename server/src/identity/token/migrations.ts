import type { Migration } from '../../db/migration.ts';

export const tokenMigrations: readonly Migration[] = [
  {
    name: 'one-time tokens',
    formerly: 1,
    statements: (type) => [
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
  {
    name: 'codes of one-time tokens',
    formerly: 6,
    statements: (type) => [
      `alter table one_time_tokens add column target ${type.text}`,
      `alter table one_time_tokens add column code_mac ${type.text}`,
      `alter table one_time_tokens add column code_expires_at ${type.instant}`,
      `alter table one_time_tokens add column code_tries ${type.integer} not null default 0`,
    ],
  },
  {
    name: 'initiating browser of a one-time token',
    formerly: 10,
    statements: (type) => [`alter table one_time_tokens add column request_mac ${type.text}`],
  },
  {
    name: 'several one-time tokens of a kind',
    statements: () => [
      `drop index one_time_tokens_by_user`,
      `create index one_time_tokens_by_user_kind on one_time_tokens (user_id, kind, created_at)`,
    ],
  },
  {
    name: 'one-time tokens of a user in the order of their lists',
    statements: () => [
      `drop index one_time_tokens_by_user_kind`,
      `create index one_time_tokens_by_user_kind on one_time_tokens (user_id, kind, created_at, id)`,
    ],
  },
];
