import { defineEvents } from '../event.ts';

export const detailsEvents = defineEvents('details', {
  details_changed: {
    vocabulary: 'user_updated',
    outcome: 'success',
    shownAs: 'account',
    says: 'The name, picture, external id or metadata of the account changed. The facts name what changed, without values.',
    facts: { fields: 'texts' },
  },
});
