import { defineEvents } from '../../identity/event.ts';

export const dataExportEvents = defineEvents('data-export', {
  data_exported: {
    vocabulary: 'sensitive_read',
    outcome: 'success',
    shownAs: 'data',
    says: 'The user downloaded the data of the account.',
  },
});
