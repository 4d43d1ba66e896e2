import type { Migration } from '../db/migration.ts';

export const auditMigrations: readonly Migration[] = [
  {
    name: 'audit',
    formerly: 3,
    statements: (type) => [
      `create table audit_events (
        id ${type.text} not null primary key,
        at ${type.instant} not null,
        event ${type.text} not null,
        outcome ${type.text} not null,
        reason ${type.text},
        actor ${type.text} not null,
        user_id ${type.integer},
        address ${type.text},
        device ${type.text},
        request_id ${type.text},
        mac ${type.text} not null,
        seal_number ${type.integer},
        seal ${type.text}
      ) ${type.keyedTable}`,
      `create index audit_events_by_user on audit_events (user_id, at)`,
      `create index audit_events_unsealed on audit_events (id) where seal_number is null`,
      `create unique index audit_events_by_seal on audit_events (seal_number)`,
      `create table audit_chain (
        id ${type.integer} not null primary key,
        first_number ${type.integer} not null,
        first_seal ${type.text} not null,
        last_number ${type.integer} not null,
        last_seal ${type.text} not null
      ) ${type.table}`,
      `insert into audit_chain values (1, 0, '', 0, '')`,
    ],
  },
  {
    name: 'actor, target and facts of events',
    formerly: 14,
    statements: (type) => [
      `alter table audit_events add column facts ${type.text}`,
      `alter table audit_events add column actor_id ${type.text}`,
      `alter table audit_events add column target_kind ${type.text}`,
      `alter table audit_events add column target_id ${type.text}`,
      `alter table audit_events add column form ${type.integer} not null default 1`,
    ],
  },
  {
    name: 'events of an account in the order of their list',
    statements: () => [
      `drop index audit_events_by_user`,
      `create index audit_events_by_user on audit_events (user_id, at, id)`,
    ],
  },
];
