import type { Migration } from '../../db/migration.ts';

export const totpMigrations: readonly Migration[] = [
  {
    name: 'authenticator apps',
    formerly: 8,
    statements: (type) => [
      `create table totp_authenticators (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        name ${type.text} not null,
        seed ${type.text} not null,
        created_at ${type.instant} not null,
        confirmed_at ${type.instant},
        last_step ${type.integer},
        last_used_at ${type.instant}
      ) ${type.keyedTable}`,
      `create index totp_authenticators_by_user on totp_authenticators (user_id)`,
    ],
  },
  {
    name: 'who began the enrollment of an authenticator app',
    statements: (type) => [`alter table totp_authenticators add column begun_by ${type.text}`],
  },
  {
    name: 'authenticator apps of a user in the order of their list',
    statements: () => [
      `drop index totp_authenticators_by_user`,
      `create index totp_authenticators_by_user on totp_authenticators (user_id, created_at)`,
    ],
  },
];
