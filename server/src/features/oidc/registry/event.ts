import { defineEvents } from '../../../identity/event.ts';

const success = { outcome: 'success', shownAs: 'hidden' } as const;

export const registryEvents = defineEvents('registry', {
  client_added: {
    ...success,
    vocabulary: 'sensitive_create',
    says: 'A client of the OpenID provider was added. The target names it.',
    facts: { kind: 'text' },
  },
  client_changed: {
    ...success,
    vocabulary: 'sensitive_update',
    says: 'Settings of a client changed. The facts name them, without values.',
    facts: { fields: 'texts' },
  },
  client_removed: {
    ...success,
    vocabulary: 'sensitive_delete',
    says: 'A client was removed, with its secrets, grants and tokens.',
  },
  client_secret_rotated: {
    ...success,
    vocabulary: 'sensitive_update',
    says: 'The secrets of a client changed. The fact is the number of secrets that are accepted now.',
    facts: { live_secrets: 'number' },
  },
  resource_added: {
    ...success,
    vocabulary: 'sensitive_create',
    says: 'A resource of the OpenID provider was added. The target names it.',
    facts: { token_format: 'text' },
  },
  resource_changed: {
    ...success,
    vocabulary: 'sensitive_update',
    says: 'Settings of a resource changed. The facts name them, without values.',
    facts: { fields: 'texts' },
  },
  resource_removed: {
    ...success,
    vocabulary: 'sensitive_delete',
    says: 'A resource was removed.',
  },
});
