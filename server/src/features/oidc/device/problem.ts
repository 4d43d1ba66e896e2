import { defineProblems, type ProblemRow } from '../../../kit/problem.ts';

const deviceProblems = defineProblems('device', {
  device_code_unknown: { status: 400, title: 'No device shows this code; check it and enter it again' },
  device_code_expired: {
    status: 400,
    title: 'The code of the device has expired; get a new one on the device',
  },
  device_code_used: {
    status: 400,
    title: 'The code of the device was already used; get a new one on the device',
  },
});

declare module '../../../kit/problem.ts' {
  interface ProblemCodes extends Record<keyof typeof deviceProblems, ProblemRow> {}
}
