import type { Migration } from '../db/migration.ts';

export const keyMigrations: readonly Migration[] = [
  {
    name: 'keys that the database was used with',
    formerly: 5,
    statements: (type) => [
      `create table key_checks (
        id ${type.text} not null primary key,
        check_value ${type.text} not null,
        created_at ${type.instant} not null
      ) ${type.keyedTable}`,
    ],
  },
  {
    name: 'keys that sign tokens',
    statements: (type) => [
      `create table signing_keys (
        id ${type.text} not null primary key,
        alg ${type.text} not null,
        state ${type.text} not null,
        private_jwk ${type.text} not null,
        public_jwk ${type.text} not null,
        created_at ${type.instant} not null,
        state_since ${type.instant} not null,
        expires_at ${type.instant}
      ) ${type.keyedTable}`,
      `create unique index signing_keys_in_use on signing_keys (alg, state) where state <> 'retired'`,
    ],
  },
];
