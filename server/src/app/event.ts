// Declares the events of the service itself, and records changes of the signing keys as events.
import type { KeyChangeRecorder } from '../keys/signing-key-life.ts';
import { defineEvents, type Events } from '../identity/event.ts';

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
  signing_key_created: {
    vocabulary: 'sensitive_create',
    outcome: 'success',
    shownAs: 'hidden',
    facts: { algorithm: 'text', state: 'text' },
    says: 'A key that signs tokens was created, as the `current` or the `next` one.',
  },
  signing_key_rotated: {
    vocabulary: 'sensitive_update',
    outcome: 'success',
    shownAs: 'hidden',
    facts: { algorithm: 'text', retired: 'text', timing: 'text' },
    says: 'The next key became the current one; `retired` names the former one. `timing` is `early` if it was not published long enough before.',
  },
  signing_key_retired: {
    vocabulary: 'sensitive_delete',
    outcome: 'success',
    shownAs: 'hidden',
    facts: { algorithm: 'text', state: 'text' },
    says: 'The operator removed a key that signs tokens; `state` is the one that it had.',
  },
});

/** Returns a function that records changes of the signing keys. */
export function keyChangeRecorder(events: Pick<Events, 'emit'>): KeyChangeRecorder {
  return async (tx, change, source) => {
    const target = { kind: 'signing_key', id: change.kid };
    const algorithm = change.alg;
    if (change.kind === 'rotated') {
      const { retired, timing } = change;
      await events.emit(tx, serviceEvents.signing_key_rotated, {
        source,
        target,
        facts: { algorithm, retired, timing },
      });
    } else {
      const { signing_key_created: created, signing_key_retired: retired } = serviceEvents;
      await events.emit(tx, change.kind === 'created' ? created : retired, {
        source,
        target,
        facts: { algorithm, state: change.state },
      });
    }
  };
}
