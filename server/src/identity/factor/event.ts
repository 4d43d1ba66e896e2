import { defineEvents } from '../event.ts';

/** Events of the verification of second factors. */
export const factorEvents = defineEvents('factor', {
  wrong_second_factor: {
    vocabulary: 'authn_login_fail',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'A second factor was given and was wrong.',
    remedy:
      'The user enters the current code; the clock of the phone must be right. After a loss: another factor, or user reset-factors.',
    facts: { factor: 'text' },
  },
});
