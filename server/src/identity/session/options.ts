import { option, type OptionCheck, type OptionValues } from '../../config/option.ts';
import { integer } from '../../config/parse.ts';

export const sessionOptions = {
  sessionDays: option({
    env: 'SESSION_DAYS',
    parse: integer(1, 365),
    says: 'Maximum age of a session, in days.',
    default: () => 30,
  }),
  sessionIdleDays: option({
    env: 'SESSION_IDLE_DAYS',
    parse: integer(1, 365),
    says: 'Days without a request after which a session ends.',
    default: () => 7,
  }),
  sessionsPerUser: option({
    env: 'SESSIONS_PER_USER',
    parse: integer(1, 1000),
    says: 'Maximum number of sessions per user; a new session beyond it ends the oldest.',
    default: () => 50,
  }),
} as const;

/** Returns the faults of these options: the idle limit must not exceed the maximum age. */
export const checkSessionOptions: OptionCheck<OptionValues<typeof sessionOptions>> = (values, { faulty }) => {
  const areRead = !faulty.has('sessionDays') && !faulty.has('sessionIdleDays');
  return areRead && values.sessionIdleDays > values.sessionDays
    ? ['SESSION_IDLE_DAYS must not be more than SESSION_DAYS']
    : [];
};
