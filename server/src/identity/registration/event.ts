import { defineEvents } from '../event.ts';

/** Events of provisional accounts. */
export const registrationEvents = defineEvents('registration', {
  registration_expired: {
    vocabulary: 'user_deleted',
    outcome: 'success',
    shownAs: 'hidden',
    says: 'An account of a public sign-up was removed, because its address was not confirmed in time.',
  },
  registration_released: {
    vocabulary: 'user_deleted',
    outcome: 'success',
    shownAs: 'hidden',
    says: 'An account of a public sign-up whose address was not confirmed was removed: another account got the address.',
  },
});
