import { dayMs } from '../../kit/clock.ts';
import { defineMail, defineNotice, exampleLink } from '../../mail/mail-kind.ts';
import { defineEvents } from '../../identity/event.ts';

/**
 * How long a closed account can be reopened: longer than a holiday, and well within the month of GDPR article 12(3).
 */
export const deletionDays = 14;

interface ClosedAccountFacts {
  /** Unix milliseconds. */
  readonly deleteAt: number;
  readonly undoLink: string;
}

const deletionRequestedMail = defineMail<ClosedAccountFacts>({
  name: 'deletion_requested',
  lifeMs: deletionDays * dayMs,
  replacesEarlier: true,
  example: { deleteAt: Date.UTC(2026, 2, 28, 9, 26), undoLink: exampleLink('/account/delete/undo') },
  compose: ({ deleteAt, undoLink }) => ({ values: { deleteAt }, undoLink }),
});

export const deletionEvents = defineEvents('account-deletion', {
  deletion_requested: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'account',
    says: 'The user closed the account. It is removed 14 days later, and can be reopened by email until then.',
    mail: deletionRequestedMail,
  },
  reopening_offered: {
    vocabulary: 'authn_token_created',
    outcome: 'success',
    shownAs: 'account',
    says: 'The user signed in to the closed account and was offered to keep it.',
  },
  deletion_undone: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'account',
    says: 'A closed account was reopened by email.',
    mail: defineNotice('deletion_undone'),
  },
  account_deleted: {
    vocabulary: 'user_deleted',
    outcome: 'success',
    shownAs: 'hidden',
    says: 'A closed account was removed after the 14 days.',
  },
});
