import type { Migration } from '../../../db/migration.ts';

export const registryMigrations: readonly Migration[] = [
  {
    name: 'contents of clients files that were applied',
    statements: (type) => [
      `create table oidc_clients_files (
        name ${type.text} not null primary key,
        digest ${type.bytes} not null,
        applied_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create table oidc_replaced_files (
        name ${type.text} not null,
        digest ${type.bytes} not null,
        replaced_at ${type.instant} not null,
        primary key (name, digest)
      ) ${type.keyedTable}`,
    ],
  },
];
