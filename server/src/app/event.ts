import { defineEvents } from '../identity/event.ts';

export const serviceEvents = defineEvents('app', {
  service_started: {
    vocabulary: 'sys_startup',
    outcome: 'success',
    shownAs: 'hidden',
    says: 'An instance of the service began to serve.',
  },
  service_stopped: {
    vocabulary: 'sys_shutdown',
    outcome: 'success',
    shownAs: 'hidden',
    says: 'An instance of the service stopped serving.',
  },
});
