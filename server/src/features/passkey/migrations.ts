import type { Migration } from '../../db/migration.ts';

export const passkeyMigrations: readonly Migration[] = [
  {
    name: 'passkeys',
    formerly: 12,
    statements: (type) => [
      `create table passkeys (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        user_handle ${type.text} not null,
        credential_id ${type.text} not null,
        public_key ${type.bytes} not null,
        counter ${type.integer} not null,
        kind ${type.text} not null,
        storage ${type.text} not null,
        transports ${type.text} not null,
        aaguid ${type.text} not null,
        name ${type.text} not null,
        created_at ${type.instant} not null,
        last_used_at ${type.instant}
      ) ${type.keyedTable}`,
      `create unique index passkeys_by_credential on passkeys (credential_id)`,
      `create index passkeys_by_user on passkeys (user_id)`,
      `create table spent_challenges (
        id ${type.text} not null primary key,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create index spent_challenges_by_expiry on spent_challenges (expires_at)`,
    ],
  },
  {
    name: 'passkeys of a user in the order of their list',
    statements: () => [
      `drop index passkeys_by_user`,
      `create index passkeys_by_user on passkeys (user_id, created_at, id)`,
    ],
  },
];
