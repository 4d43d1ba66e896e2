import { option } from '../../config/option.ts';
import { oneOf } from '../../config/parse.ts';

export const factorOptions = {
  secondFactor: option<'off' | 'optional' | 'required'>({
    env: 'SECOND_FACTOR',
    parse: oneOf('off', 'optional', 'required'),
    says: 'Second factors: `off`, `optional` (required of users who have one) or `required` of every user, so that a user without one can only enroll one.',
    default: () => 'optional',
  }),
} as const;
