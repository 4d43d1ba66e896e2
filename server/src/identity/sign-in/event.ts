import { defineNotice } from '../../mail/mail-kind.ts';
import { defineEvents } from '../event.ts';

/** Events of sign-in and remembered devices. */
export const signInEvents = defineEvents('sign-in', {
  signed_in: {
    vocabulary: 'authn_login_success',
    outcome: 'success',
    shownAs: 'sign_in',
    says: 'A user signed in with these factors.',
    facts: { factors: 'texts' },
  },
  first_factor_refused: {
    vocabulary: 'authn_login_fail',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'A first factor other than a password was refused, or did not lead to a session.',
    remedy: 'An authenticator that was removed from the account is also removed from the browser or phone.',
    facts: { factor: 'text' },
  },
  device_forgotten: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'factor',
    says: 'A remembered device was forgotten: it is asked for a second factor again. Its handle is the target.',
  },
});

/** Mail after a sign-in from an unknown device of a user with known devices. */
export const newDeviceMail = defineNotice('new_device');
