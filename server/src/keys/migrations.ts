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
];
