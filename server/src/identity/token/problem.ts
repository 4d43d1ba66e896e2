import { defineProblems } from '../../kit/problem.ts';

const tokenProblems = defineProblems('token', {
  token_invalid: {
    status: 403,
    title: 'The token is unknown, already used, expired, or issued for another account; request a new one',
  },
  same_browser_required: {
    status: 403,
    title: 'Confirm in the browser in which you registered, or enter the emailed code there',
  },
  change_pending: {
    status: 409,
    title: 'The email was changed recently; it cannot be changed again while that change can still be undone',
  },
});

declare module '../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof tokenProblems, ProblemRow> {}
}
