// Events and mails of accounts and of the confirmation of addresses.
import { defineNotice, defineProofMail } from '../../mail/mail-kind.ts';
import { defineEvents } from '../event.ts';

/** Life of a confirmation token (NIST SP 800-63B-4 §3.1.3.1: at most 24 hours by mail). */
export const verificationHours = 24;

export const emailVerificationMail = defineProofMail(
  'email_verification',
  '/confirm?email=ada%40example.org',
  verificationHours * 60,
);

/** Mail to the owner of an address with which another client tried to register. */
export const alreadyRegisteredMail = defineNotice('already_registered', { isRequested: true });

export const passwordChangedMail = defineNotice('password_changed');

/** Events of accounts: created, confirmed, disabled, removed. */
export const accountEvents = defineEvents('account', {
  account_created: {
    vocabulary: 'user_created',
    outcome: 'success',
    shownAs: 'account',
    says: 'An account was created.',
  },
  email_taken: {
    vocabulary: 'user_created',
    outcome: 'failure',
    shownAs: 'refusal',
    insteadOf: 'account_created',
    says: 'A registration was refused: the address has an account, which is the one concerned.',
  },
  email_verification_requested: {
    vocabulary: 'authn_token_created',
    outcome: 'success',
    shownAs: 'mail',
    says: 'Another email to confirm the address was requested.',
  },
  email_verification_request_refused: {
    vocabulary: 'authn_token_created',
    outcome: 'failure',
    shownAs: 'hidden',
    insteadOf: 'email_verification_requested',
    says: 'An email to confirm an address was requested for an account that needs none, or for an address without an account.',
  },
  email_verified: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'address',
    says: 'The owner of the address confirmed it.',
  },
  email_marked_verified: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'address',
    says: 'The operator or a program marked the address as confirmed. All registrations of the address ended, except one that became the account.',
  },
  attempts_reset: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'account',
    says: 'The operator reset the failed attempts, which ends waits and locks.',
    facts: { count: 'number' },
  },
  registrations_replaced: {
    vocabulary: 'authn_password_change',
    outcome: 'success',
    shownAs: 'password',
    says: 'The owner of the address set a new password with the confirmation. All earlier registrations of the address ended.',
  },
  registration_password_wrong: {
    vocabulary: 'authn_login_fail',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'The password of the registration was wrong when the address was confirmed in another browser.',
    remedy: 'The user sets a new password on the page of the confirmation link.',
  },
  password_set: {
    vocabulary: 'authn_password_change',
    outcome: 'success',
    shownAs: 'password',
    says: 'The operator or a program set a new password. All sessions were ended.',
    mail: passwordChangedMail,
  },
  account_disabled: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'account',
    says: 'The account was disabled. All sessions were ended.',
  },
  account_enabled: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'account',
    says: 'The account was enabled.',
  },
  account_removed: {
    vocabulary: 'user_deleted',
    outcome: 'success',
    shownAs: 'hidden',
    says: 'The operator or a program removed the account.',
  },
});
