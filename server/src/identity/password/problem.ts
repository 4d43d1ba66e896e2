import { defineProblems } from '../../kit/problem.ts';

const passwordProblems = defineProblems('password', {
  password_wrong: { status: 403, title: 'The current password is wrong' },
});

declare module '../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof passwordProblems, ProblemRow> {}
}
