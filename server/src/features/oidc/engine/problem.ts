import { defineProblems, Problem, type ProblemRow } from '../../../kit/problem.ts';

const engineProblems = defineProblems('engine', {
  oidc_request_expired: {
    status: 400,
    title: 'The sign-in at the application has expired or began in another browser; start again there',
  },
});

declare module '../../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof engineProblems, ProblemRow> {}
}

/** The problem of a request that has ended, or that another browser began. */
export function requestExpired(): Problem {
  return new Problem('oidc_request_expired');
}
