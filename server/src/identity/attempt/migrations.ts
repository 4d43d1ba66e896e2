import type { Migration } from '../../db/migration.ts';

export const attemptMigrations: readonly Migration[] = [
  {
    name: 'attempts',
    formerly: 2,
    statements: (type) => [
      `create table attempts (
        subject ${type.text} not null,
        factor ${type.text} not null,
        failures ${type.integer} not null,
        last_at ${type.instant} not null,
        next_at ${type.instant} not null,
        primary key (subject, factor)
      ) ${type.keyedTable}`,
      `create index attempts_by_age on attempts (last_at)`,
    ],
  },
];
