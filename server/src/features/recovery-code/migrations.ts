import type { Migration } from '../../db/migration.ts';

export const recoveryCodeMigrations: readonly Migration[] = [
  {
    name: 'recovery codes',
    formerly: 9,
    statements: (type) => [
      `create table recovery_codes (
        id ${type.text} not null primary key,
        user_id ${type.integer} not null references users (id) on delete cascade,
        code_mac ${type.text} not null,
        created_at ${type.instant} not null,
        spent_at ${type.instant}
      ) ${type.keyedTable}`,
      `create index recovery_codes_by_user on recovery_codes (user_id)`,
    ],
  },
  {
    name: 'end of recovery codes that a newer set replaces',
    statements: (type) => [`alter table recovery_codes add column ends_at ${type.instant}`],
  },
];
