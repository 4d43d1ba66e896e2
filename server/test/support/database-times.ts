import type { DatabaseTimes } from '../../src/db/database-times.ts';
import { minuteMs } from '../../src/kit/clock.ts';

/** A minute for each wait for the database, so that a busy machine fails no statement. */
export const patientTimes: DatabaseTimes = {
  statementMs: minuteMs,
  queryMs: minuteMs,
  connectMs: minuteMs,
  connectToOneOfManyMs: minuteMs,
  lockMs: minuteMs,
};
