import { defineProblems } from '../../kit/problem.ts';

const attemptProblems = defineProblems('attempt', {
  too_many_attempts: { status: 429, title: 'Too many attempts; try again later or reset the password' },
});

declare module '../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof attemptProblems, ProblemRow> {}
}
