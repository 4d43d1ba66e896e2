import { defineEvents } from '../event.ts';

/** Events of rejected tokens and codes, for kinds without their own event. */
export const tokenEvents = defineEvents('token', {
  token_reused: {
    vocabulary: 'authn_token_reuse',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'A one-time token was presented again after its use.',
    facts: { kind: 'text' },
  },
  token_refused: {
    vocabulary: 'user_updated',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'A token or code that changes an account was refused: expired, of another account, or wrong.',
    facts: { kind: 'text' },
  },
});
