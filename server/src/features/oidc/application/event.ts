import { defineEvents } from '../../../identity/event.ts';

/** Events of the access of applications. The target is the client. */
export const applicationEvents = defineEvents('application', {
  application_removed: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'account',
    says: 'The user removed the access of an application, which is the target. Its tokens have ended.',
    facts: { name: 'text' },
  },
});
