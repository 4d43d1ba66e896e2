import { defineProblems } from '../../kit/problem.ts';

const stepUpProblems = defineProblems('step-up', {
  step_up_required: { status: 401, title: 'Recent authentication is required' },
});

declare module '../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof stepUpProblems, ProblemRow> {}
}
