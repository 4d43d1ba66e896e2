import { defineEvents } from '../event.ts';

export const stepUpEvents = defineEvents('step-up', {
  stepped_up: {
    vocabulary: 'authn_login_success',
    outcome: 'success',
    shownAs: 'sign_in',
    says: 'A signed-in user authenticated again with this factor.',
    facts: { factor: 'text' },
  },
});
