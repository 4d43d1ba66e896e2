// Events and mails of logins by password, of new passwords and of resets.
import { defineNotice, defineProofMail } from '../../mail/mail-kind.ts';
import { passwordChangedMail } from '../account/event.ts';
import { defineEvents } from '../event.ts';

export const resetPasswordMail = defineProofMail('reset_password', '/reset?email=ada%40example.org', 60);

/** Events of logins by password and of new passwords. */
export const passwordEvents = defineEvents('password', {
  wrong_password: {
    vocabulary: 'authn_login_fail',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'A wrong password was given.',
    remedy: 'The user resets the password.',
  },
  unknown_user: {
    vocabulary: 'authn_login_fail',
    outcome: 'failure',
    shownAs: 'hidden',
    says: 'A login was attempted with an address that has no account.',
    remedy: 'The user checks the spelling, or registers.',
  },
  user_disabled: {
    vocabulary: 'authn_login_fail',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'The password was right, but the account is disabled.',
    remedy: 'user enable opens the account again.',
  },
  email_unconfirmed: {
    vocabulary: 'authn_login_fail',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'The password was right, but the address of the account is not confirmed.',
    remedy: 'The user confirms the address, or user confirm does it.',
  },
  password_attempts_slowed: {
    vocabulary: 'authn_login_fail_max',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'There were too many failed password attempts: from now on each attempt has to wait.',
    remedy: 'The user waits, or user unlock ends the pause.',
  },
  password_attempts_locked: {
    vocabulary: 'authn_login_lock',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'The maximum number of failed password attempts was reached: the password is locked.',
    remedy: 'The user resets the password, or user unlock unlocks it.',
  },
  reset_requested: {
    vocabulary: 'authn_token_created',
    outcome: 'success',
    shownAs: 'mail',
    says: 'A password reset token was issued.',
  },
  reset_request_refused: {
    vocabulary: 'authn_token_created',
    outcome: 'failure',
    shownAs: 'hidden',
    insteadOf: 'reset_requested',
    says: 'A password reset was requested, and no token was issued: no account, a disabled one, or too soon.',
  },
  reset_token_refused: {
    vocabulary: 'authn_password_change_fail',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'A password reset token or code was refused: expired, of another account, or wrong.',
    facts: { kind: 'text' },
  },
  password_reset: {
    vocabulary: 'authn_password_change',
    outcome: 'success',
    shownAs: 'password',
    says: 'A new password was set with an emailed token or code. All sessions were ended.',
    mail: passwordChangedMail,
  },
  password_changed: {
    vocabulary: 'authn_password_change',
    outcome: 'success',
    shownAs: 'password',
    says: 'A signed-in user changed the password. All other sessions were ended.',
    mail: passwordChangedMail,
  },
  password_changed_only: {
    vocabulary: 'authn_password_change',
    outcome: 'success',
    shownAs: 'password',
    says: 'A signed-in user changed the password and kept the other sessions and the access of programs.',
    mail: defineNotice('password_changed_only'),
  },
});
