import type { Migration } from '../../../db/migration.ts';

export const logoutMigrations: readonly Migration[] = [
  {
    name: 'outbox of back-channel logout',
    // Without references: a logout outlives the session, the user and the client.
    statements: (type) => [
      `create table oidc_logouts (
        id ${type.text} not null primary key,
        client_id ${type.text} not null,
        subject ${type.text} not null,
        sid ${type.text},
        uri ${type.text} not null,
        alg ${type.text} not null,
        created_at ${type.instant} not null,
        next_at ${type.instant} not null,
        expires_at ${type.instant} not null,
        attempts ${type.integer} not null default 0,
        last_error ${type.text},
        given_up_at ${type.instant}
      ) ${type.keyedTable}`,
      `create unique index oidc_logouts_by_sid on oidc_logouts (client_id, sid) where sid is not null`,
      `create index oidc_logouts_due on oidc_logouts (next_at) where given_up_at is null`,
      `create index oidc_logouts_by_age on oidc_logouts (created_at, id)`,
      `create index oidc_logouts_by_expiry on oidc_logouts (expires_at)`,
    ],
  },
];
