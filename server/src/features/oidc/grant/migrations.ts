import type { Migration } from '../../../db/migration.ts';

export const grantMigrations: readonly Migration[] = [
  {
    name: 'grants and tokens of the OpenID provider',
    statements: (type) => [
      `create table oidc_sessions (
        uid ${type.text} not null primary key,
        session_id ${type.text} not null references sessions (id) on delete cascade on update cascade,
        created_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create unique index oidc_sessions_by_session on oidc_sessions (session_id)`,
      `create table oidc_session_clients (
        uid ${type.text} not null references oidc_sessions (uid) on delete cascade,
        client_id ${type.text} not null references oidc_clients (id) on delete cascade,
        sid ${type.text} not null,
        grant_id ${type.text},
        primary key (uid, client_id)
      ) ${type.keyedTable}`,
      `create unique index oidc_session_clients_by_sid on oidc_session_clients (sid)`,
      `create index oidc_session_clients_by_grant on oidc_session_clients (grant_id) where grant_id is not null`,
      `create index oidc_session_clients_by_client on oidc_session_clients (client_id)`,
      `create table oidc_grants (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        client_id ${type.text} not null references oidc_clients (id) on delete cascade,
        outlives_session ${type.integer} not null,
        payload ${type.text} not null,
        created_at ${type.instant} not null,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create index oidc_grants_by_user on oidc_grants (user_id, client_id)`,
      `create index oidc_grants_by_client on oidc_grants (client_id)`,
      `create index oidc_grants_by_expiry on oidc_grants (expires_at)`,
      `create table oidc_tokens (
        id ${type.text} not null primary key,
        kind ${type.text} not null,
        grant_id ${type.text} references oidc_grants (id) on delete cascade,
        user_id ${type.integer} references users (id) on delete cascade,
        client_id ${type.text} references oidc_clients (id) on delete cascade,
        session_uid ${type.text} references oidc_sessions (uid) on delete cascade,
        user_code ${type.text},
        payload ${type.text} not null,
        sealed ${type.text},
        consumed_at ${type.instant},
        replays ${type.integer} not null default 0,
        created_at ${type.instant} not null,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create index oidc_tokens_by_grant on oidc_tokens (grant_id) where grant_id is not null`,
      `create index oidc_tokens_by_user on oidc_tokens (user_id) where user_id is not null`,
      `create index oidc_tokens_by_client on oidc_tokens (client_id) where client_id is not null`,
      `create index oidc_tokens_by_session on oidc_tokens (session_uid) where session_uid is not null`,
      `create unique index oidc_tokens_by_user_code on oidc_tokens (user_code) where user_code is not null`,
      `create index oidc_tokens_by_expiry on oidc_tokens (expires_at)`,
      `create table oidc_interactions (
        id ${type.text} not null primary key,
        sealed ${type.text} not null,
        created_at ${type.instant} not null,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create index oidc_interactions_by_expiry on oidc_interactions (expires_at)`,
      `create table oidc_used (
        id ${type.text} not null primary key,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create index oidc_used_by_expiry on oidc_used (expires_at)`,
      `create table oidc_consents (
        user_id ${type.integer} not null references users (id) on delete cascade,
        client_id ${type.text} not null references oidc_clients (id) on delete cascade,
        scopes ${type.text} not null,
        created_at ${type.instant} not null,
        last_used_at ${type.instant} not null,
        primary key (user_id, client_id)
      ) ${type.keyedTable}`,
      `create index oidc_consents_by_client on oidc_consents (client_id)`,
    ],
  },
];
