import { defineEvents } from '../event.ts';

/** Events of sessions: created and ended. The target of an ended one is its public handle. */
export const sessionEvents = defineEvents('session', {
  session_created: {
    vocabulary: 'session_created',
    outcome: 'success',
    shownAs: 'hidden',
    says: 'A session was created.',
  },
  session_ended: {
    vocabulary: 'session_expired',
    outcome: 'success',
    shownAs: 'sign_out',
    says: 'A session was ended, by its owner or by the operator.',
  },
  session_replaced: {
    vocabulary: 'session_expired',
    outcome: 'success',
    shownAs: 'hidden',
    says: 'A session was ended by a sign-in in the same browser.',
  },
  oldest_session_ended: {
    vocabulary: 'session_expired',
    outcome: 'success',
    shownAs: 'hidden',
    says: 'A sign-in ended the oldest session of the user, who had the maximum number of sessions.',
  },
  other_sessions_ended: {
    vocabulary: 'session_expired',
    outcome: 'success',
    shownAs: 'sign_out',
    says: 'All sessions of the user were ended, except the one that asked for it.',
    facts: { count: 'number' },
  },
  all_sessions_ended: {
    vocabulary: 'session_expired',
    outcome: 'success',
    shownAs: 'sign_out',
    says: 'All sessions of the user were ended.',
    facts: { count: 'number' },
  },
  expired_session_used: {
    vocabulary: 'session_use_after_expire',
    outcome: 'failure',
    shownAs: 'hidden',
    says: 'A request presented a session that had expired. Recorded once for each session.',
  },
});
