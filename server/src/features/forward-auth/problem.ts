import { defineProblems } from '../../kit/problem.ts';

const forwardAuthProblems = defineProblems('forward-auth', {
  sign_in_required: { status: 401, title: 'Sign-in is required' },
});

declare module '../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof forwardAuthProblems, ProblemRow> {}
}
