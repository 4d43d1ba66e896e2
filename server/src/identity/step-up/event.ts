import { defineEvents } from '../event.ts';

export const stepUpEvents = defineEvents('step-up', {
  stepped_up: {
    vocabulary: 'authn_login_success',
    outcome: 'success',
    shownAs: 'sign_in',
    says: 'A signed-in user confirmed with this factor that it is them.',
    facts: { factor: 'text' },
  },
});
