import { defineProblems } from '../../kit/problem.ts';

const tokenProblems = defineProblems('token', {
  token_invalid: {
    status: 403,
    title: 'The token is unknown, already used, expired, or issued for another account',
  },
});

declare module '../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof tokenProblems, ProblemRow> {}
}
