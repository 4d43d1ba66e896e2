import { defineProblems } from '../../kit/problem.ts';

const enrollmentProblems = defineProblems('enrollment', {
  last_factor: {
    status: 409,
    title:
      'This is the only way to sign in, or the only second factor where one is required; add another first',
  },
});

declare module '../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof enrollmentProblems, ProblemRow> {}
}
