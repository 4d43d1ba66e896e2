import { hourMs } from '../../kit/clock.ts';
import { defineMail, defineNotice, defineProofMail, exampleLink } from '../../mail/mail-kind.ts';
import { defineEvents } from '../../identity/event.ts';

/** How long the old address can undo a change: longer than a weekend. */
export const undoHours = 72;
export const changeMinutes = 60;

/** Sent to the new address. */
export const emailChangeMail = defineProofMail('email_change', '/account/email', changeMinutes);

interface ChangedAddress {
  readonly newEmail: string;
  readonly undoLink: string;
}

/** Sent to the old address, once the new one is confirmed. */
const emailChangedMail = defineMail<ChangedAddress>({
  name: 'email_changed',
  lifeMs: undoHours * hourMs,
  example: { newEmail: 'ada.lovelace@example.org', undoLink: exampleLink('/account/email/undo') },
  compose: ({ newEmail, undoLink }) => ({ values: { newEmail, undoHours }, undoLink }),
});

export const emailChangeEvents = defineEvents('email-change', {
  email_change_requested: {
    vocabulary: 'authn_token_created',
    outcome: 'success',
    shownAs: 'address',
    says: 'The user requested another address. If it is free, a token was emailed to it.',
  },
  email_changed: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'address',
    says: 'The new address was confirmed and replaced the old one, which can undo this for 72 hours.',
    mail: emailChangedMail,
  },
  email_change_undone: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'address',
    says: 'The owner of the old address undid the change. All sessions were ended; the password must be reset.',
    mail: defineNotice('email_change_undone'),
  },
});
