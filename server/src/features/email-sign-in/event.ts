import { defineProofMail } from '../../mail/mail-kind.ts';
import { defineEvents } from '../../identity/event.ts';

/** Lifetime of a link: short, because the user is waiting for it (NIST SP 800-63B-4 §3.1.3.1). */
export const signInMinutes = 10;

export const signInMail = defineProofMail('sign_in', '/sign-in/link?email=ada%40example.org', signInMinutes);

export const emailSignInEvents = defineEvents('email-sign-in', {
  sign_in_requested: {
    vocabulary: 'authn_token_created',
    outcome: 'success',
    shownAs: 'mail',
    says: 'A sign-in link was emailed.',
  },
  sign_in_request_refused: {
    vocabulary: 'authn_token_created',
    outcome: 'failure',
    shownAs: 'hidden',
    insteadOf: 'sign_in_requested',
    says: 'A sign-in link was requested, and none was emailed: no account, a disabled or unconfirmed one, or too soon.',
  },
  sign_in_token_refused: {
    vocabulary: 'authn_login_fail',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'An emailed sign-in link or code was refused: expired, of another account, or wrong.',
    remedy: 'The user requests another email, and uses its code in the same browser.',
    facts: { kind: 'text' },
  },
});
