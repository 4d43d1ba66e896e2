import { defineProblems } from '../../kit/problem.ts';

const accountProblems = defineProblems('account', {
  email_taken: { status: 400, title: 'email already registered' },
  unknown_email: { status: 403, title: 'No account has this email' },
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
  interface ProblemCodes extends Record<keyof typeof accountProblems, ProblemRow> {}
}
