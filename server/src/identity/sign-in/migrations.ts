import type { Migration } from '../../db/migration.ts';

export const signInMigrations: readonly Migration[] = [
  {
    name: 'known devices',
    formerly: 2,
    statements: (type) => [
      `create table known_devices (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        secret_hash ${type.bytes} not null,
        created_at ${type.instant} not null,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create index known_devices_by_user on known_devices (user_id, created_at)`,
      `create index known_devices_by_expiry on known_devices (expires_at)`,
    ],
  },
  {
    name: 'pending authentications',
    formerly: 7,
    statements: (type) => [
      `create table pending_logins (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        secret_hash ${type.bytes} not null,
        demand ${type.text} not null,
        factors ${type.text} not null,
        password_changed_at ${type.instant} not null,
        created_at ${type.instant} not null,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create index pending_logins_by_user on pending_logins (user_id)`,
      `create index pending_logins_by_expiry on pending_logins (expires_at)`,
    ],
  },
  {
    name: 'remembered devices',
    formerly: 11,
    statements: (type) => [
      `alter table known_devices add column remembered_until ${type.instant}`,
      `alter table known_devices add column user_agent ${type.text}`,
    ],
  },
  {
    name: 'the term enrollment',
    statements: () => ["update pending_logins set demand = 'enrollment' where demand = 'enrolment'"],
  },
  {
    name: 'devices of a user in the order of their age',
    statements: () => [
      `drop index known_devices_by_user`,
      `create index known_devices_by_user on known_devices (user_id, created_at, id)`,
    ],
  },
  {
    name: 'sign-ins that end with the browser',
    statements: (type) => [
      `alter table pending_logins add column ends_with_browser ${type.integer} not null default 0`,
    ],
  },
];
