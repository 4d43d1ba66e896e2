import { defineProblems } from '../kit/problem.ts';

const databaseProblems = defineProblems('db', {
  database_read_only: {
    status: 503,
    title: 'The database accepts no changes: it is a standby, or it is read-only',
  },
});

declare module '../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof databaseProblems, ProblemRow> {}
}
