import { defineProblems, type ProblemRow } from '../../../kit/problem.ts';

const deviceProblems = defineProblems('device', {
  device_code_unknown: { status: 400, title: 'The device has no such code' },
  device_code_expired: { status: 400, title: 'The code of the device has expired' },
  device_code_used: { status: 400, title: 'The code of the device was already used' },
});

declare module '../../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof deviceProblems, ProblemRow> {}
}
