import { defineEvents } from '../../../identity/event.ts';
import { defineMail } from '../../../mail/mail-kind.ts';

/** Mail when a refresh token was presented again after its use. Newer ones replace those that are not sent yet. */
export const tokenReusedMail = defineMail<{ readonly name: string }>({
  name: 'application_token_reused',
  replacesEarlier: true,
  example: { name: 'Wiki' },
  compose: ({ name }) => ({ values: { name } }),
});

/** Events of sign-ins at applications. The target is the client. */
export const engineEvents = defineEvents('engine', {
  application_signed_in: {
    vocabulary: 'authn_login_success',
    outcome: 'success',
    shownAs: 'sign_in',
    says: 'A user was signed in at an application, which is the target.',
    facts: { name: 'text' },
  },
  application_token_reused: {
    vocabulary: 'authn_token_reuse',
    outcome: 'failure',
    shownAs: 'refusal',
    says: 'An application presented a code or a refresh token again after its use. What was issued with it has ended.',
    remedy: 'The user signs in at the application again. If it repeats, a token may have been copied there.',
    facts: { kind: 'text', name: 'text' },
  },
});
