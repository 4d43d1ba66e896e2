// Events and mails of second factors: added, replaced, removed, undone.
import { hourMs } from '../../kit/clock.ts';
import { defineMail, defineNotice, exampleLink } from '../../mail/mail-kind.ts';
import { defineEvents } from '../event.ts';

/** Lifetime of the token that undoes the first second factor of an account. */
export const undoHours = 72;

interface FactorChange {
  readonly factor: string;
  readonly action: 'added' | 'removed' | 'replaced';
}

const factorChangedMail = defineMail<FactorChange>({
  name: 'factor_changed',
  example: { factor: 'second_factor', action: 'added' },
  compose: ({ factor, action }) => ({ values: { action }, variant: `${factor}_${action}` }),
});

interface FirstFactor {
  readonly factor: string;
  readonly undoLink: string;
}

/**
 * Carries the undo link: an attacker who knows the password could lock the owner out by adding the first second factor.
 */
const firstFactorMail = defineMail<FirstFactor>({
  name: 'first_factor',
  lifeMs: undoHours * hourMs,
  replacesEarlier: true,
  example: { factor: 'second_factor', undoLink: exampleLink('/account/factors/undo') },
  compose: ({ factor, undoLink }) => ({ values: { undoHours }, variant: factor, undoLink }),
});

/** Events of second factors: added, replaced, removed. */
export const enrollmentEvents = defineEvents('enrollment', {
  first_factor_added: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'factor',
    says: 'The first second factor of the account was added. Its owner can undo this for 72 hours.',
    facts: { factor: 'text' },
    mail: firstFactorMail,
  },
  factor_added: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'factor',
    says: 'A further second factor was added.',
    facts: { factor: 'text' },
    mail: factorChangedMail,
  },
  factor_removed: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'factor',
    says: 'A second factor was removed.',
    facts: { factor: 'text' },
    mail: factorChangedMail,
  },
  factor_replaced: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'factor',
    says: 'A second factor was replaced.',
    facts: { factor: 'text' },
    mail: factorChangedMail,
  },
  factor_undone: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'factor',
    says: 'The owner undid the first second factor by email. All sessions were ended; the password must be reset.',
    mail: defineNotice('factor_undone'),
  },
  factors_reset: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'factor',
    says: 'The operator removed all second factors. All sessions were ended.',
    mail: defineNotice('factors_reset'),
  },
});
