import { defineEvents } from '../../../identity/event.ts';

/** Events of sign-ins at applications. The target is the client. */
export const engineEvents = defineEvents('engine', {
  application_signed_in: {
    vocabulary: 'authn_login_success',
    outcome: 'success',
    shownAs: 'sign_in',
    says: 'A user was signed in at an application, which is the target.',
  },
  application_token_reused: {
    vocabulary: 'authn_token_reuse',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'An application presented a code or a refresh token again after its use. What was issued with it has ended.',
    remedy: 'The user signs in at the application again. If it repeats, a token may have been copied there.',
    facts: { kind: 'text' },
  },
});
