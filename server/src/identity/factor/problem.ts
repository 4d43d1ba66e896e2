import { defineProblems } from '../../kit/problem.ts';

const factorProblems = defineProblems('factor', {
  factor_invalid: { status: 401, title: 'The code or passkey is wrong, already used or expired' },
});

declare module '../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof factorProblems, ProblemRow> {}
}
