import { defineProblems } from '../../kit/problem.ts';

const sessionProblems = defineProblems('session', {
  invalid_credentials: { status: 401, title: 'The email or password is wrong' },
  session_required: { status: 403, title: 'A valid session is required' },
});

declare module '../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof sessionProblems, ProblemRow> {}
}
