import type { Migration } from '../../../db/migration.ts';

export const clientMigrations: readonly Migration[] = [
  {
    name: 'clients and resources of the OpenID provider',
    statements: (type) => [
      `create table oidc_clients (
        id ${type.text} not null primary key,
        name ${type.text} not null,
        kind ${type.text} not null,
        settings ${type.text} not null,
        managed_by ${type.text},
        created_at ${type.instant} not null,
        updated_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create table oidc_client_secrets (
        id ${type.text} not null primary key,
        client_id ${type.text} not null references oidc_clients (id) on delete cascade,
        secret_hash ${type.bytes} not null,
        created_at ${type.instant} not null,
        expires_at ${type.instant}
      ) ${type.keyedTable}`,
      `create index oidc_client_secrets_by_client on oidc_client_secrets (client_id, created_at)`,
      `create table oidc_resources (
        identifier ${type.text} not null primary key,
        name ${type.text} not null,
        settings ${type.text} not null,
        managed_by ${type.text},
        created_at ${type.instant} not null,
        updated_at ${type.instant} not null
      ) ${type.keyedTable}`,
    ],
  },
];
