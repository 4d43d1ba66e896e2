import type { Migration } from '../db/migration.ts';

export const mailMigrations: readonly Migration[] = [
  {
    name: 'outbox',
    formerly: 4,
    statements: (type) => [
      `create table mails (
        id ${type.text} not null primary key,
        user_id ${type.integer} references users (id) on delete cascade,
        kind ${type.text} not null,
        recipient ${type.text} not null,
        content ${type.text},
        created_at ${type.instant} not null,
        next_at ${type.instant} not null,
        expires_at ${type.instant} not null,
        tries ${type.integer} not null,
        sent_at ${type.instant},
        given_up_at ${type.instant},
        last_error ${type.text}
      ) ${type.keyedTable}`,
      `create index mails_pending on mails (next_at) where sent_at is null and given_up_at is null`,
      `create index mails_by_user on mails (user_id, kind, created_at)`,
      `create index mails_by_age on mails (created_at)`,
    ],
  },
  {
    name: 'pace of requested mails',
    statements: (type) => [
      `alter table mails add column requested_by ${type.text}`,
      `alter table mails add column recipient_hash ${type.text}`,
      `alter table mails add column token_id ${type.text}`,
      `alter table mails add column leased_until ${type.instant}`,
      `create index mails_unsent on mails (recipient_hash, kind) where sent_at is null and given_up_at is null`,
      `create table mail_paces (
        recipient_hash ${type.text} not null primary key,
        paces ${type.text} not null,
        expires_at ${type.instant} not null
      ) ${type.keyedTable}`,
      `create index mail_paces_by_expiry on mail_paces (expires_at)`,
    ],
  },
  {
    name: 'emails of a user in the order of the export',
    statements: () => [
      `drop index mails_by_user`,
      `create index mails_by_user on mails (user_id, kind, created_at, id)`,
    ],
  },
];
