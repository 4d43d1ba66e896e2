import { defineProblems } from '../../kit/problem.ts';

const signInProblems = defineProblems('sign-in', {
  pending_authentication_required: {
    status: 403,
    title:
      'A pending authentication is required; sign in with the first factor and send the second one within ten minutes',
  },
});

declare module '../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof signInProblems, ProblemRow> {}
}
