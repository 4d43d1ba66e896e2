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
  {
    name: 'counters by their age and number of failures',
    statements: () => [
      `drop index attempts_by_age`,
      `create index attempts_few_by_age on attempts (last_at) where failures < 5`,
      `create index attempts_many_by_age on attempts (last_at) where failures >= 5`,
    ],
  },
];
