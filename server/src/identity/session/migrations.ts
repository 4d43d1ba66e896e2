import { concurrentIndex, type Migration } from '../../db/migration.ts';

export const sessionMigrations: readonly Migration[] = [
  {
    name: 'sessions',
    formerly: 1,
    statements: (type) => [
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
    ],
  },
  {
    name: 'factors of a session',
    formerly: 7,
    statements: (type) => [
      `alter table sessions add column factors ${type.text} not null default '[]'`,
      `alter table sessions add column device ${type.text}`,
    ],
  },
  {
    name: 'sessions of a user in the order of their age',
    statements: () => [
      `drop index sessions_by_user`,
      `create index sessions_by_user on sessions (user_id, created_at, id)`,
    ],
  },
  {
    name: 'network address of a session, and sessions that end with the browser',
    statements: (type) => [
      `alter table sessions add column address ${type.text}`,
      `alter table sessions add column ends_with_browser ${type.integer} not null default 0`,
    ],
  },
  concurrentIndex('sessions_by_last_use', 'sessions (last_seen_at)'),
];
