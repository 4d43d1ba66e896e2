import { defineProblems } from '../kit/problem.ts';

const databaseProblems = defineProblems('db', {
  database_read_only: {
    status: 503,
    title: 'The database accepts no changes: it is a standby, or it is read-only',
  },
});

/** What to do about a database that accepts no changes. */
export const readOnlyRemedy =
  'If the server is a standby, set DATABASE_URL to its primary; otherwise reset default_transaction_read_only of the role (alter role … reset), of the database or of the server';

declare module '../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof databaseProblems, ProblemRow> {}
}
