import { defineProblems } from '../../kit/problem.ts';

const accountProblems = defineProblems('account', {
  email_taken: { status: 400, title: 'email already registered' },
  unknown_email: { status: 403, title: 'No account has this email' },
});

declare module '../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof accountProblems, ProblemRow> {}
}
