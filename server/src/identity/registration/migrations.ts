import { concurrentIndex, type Migration } from '../../db/migration.ts';

export const registrationMigrations: readonly Migration[] = [
  {
    name: 'pending registrations',
    statements: (type) => [
      `create table pending_registrations (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        email ${type.text} not null,
        hashed_password ${type.text},
        factor ${type.text},
        credential ${type.text},
        browser_hash ${type.bytes},
        created_at ${type.instant} not null,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create unique index pending_registrations_by_browser on pending_registrations (user_id, browser_hash)`,
      `create index pending_registrations_by_expiry on pending_registrations (expires_at)`,
    ],
  },
  concurrentIndex('pending_registrations_by_user', 'pending_registrations (user_id, created_at, id)'),
];
