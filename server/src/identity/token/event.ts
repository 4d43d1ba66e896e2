import { defineEvents } from '../event.ts';

/** One-time tokens and codes that were refused. */
export const tokenEvents = defineEvents('token', {
  token_reused: {
    vocabulary: 'authn_token_reuse',
    outcome: 'failure',
    says: 'A one-time token was presented again after its use.',
    facts: { kind: 'text' },
  },
  token_refused: {
    vocabulary: 'user_updated',
    outcome: 'failure',
    says: 'A token or code that changes an account was refused: expired, of another account, or wrong.',
    facts: { kind: 'text' },
  },
  reset_token_refused: {
    vocabulary: 'authn_password_change_fail',
    outcome: 'failure',
    says: 'A token or code for a new password was refused: expired, of another account, or wrong.',
    facts: { kind: 'text' },
  },
  sign_in_token_refused: {
    vocabulary: 'authn_login_fail',
    outcome: 'failure',
    says: 'A mailed sign-in link or code was refused: expired, of another account, or wrong.',
    facts: { kind: 'text' },
  },
});
