// The secrets that a browser holds in cookies. Mailed tokens have rows of their own: token/kinds.ts.
import type { SecretKind } from '../kit/secret.ts';

/** A session. */
export const sessionKind: SecretKind = { kind: 'session', prefix: 'ses' };
/** A login that requires a second factor. */
export const pendingAuthenticationKind: SecretKind = { kind: 'pending_authentication', prefix: 'pnd' };
/** A browser in which a user has signed in before. */
export const deviceKind: SecretKind = { kind: 'device', prefix: 'dev' };
/** The browser that requested a mail: the code of that mail is accepted there only. */
export const requestKind: SecretKind = { kind: 'request', prefix: 'req' };

/** All of them. */
export const cookieKinds: readonly SecretKind[] = [
  sessionKind,
  pendingAuthenticationKind,
  deviceKind,
  requestKind,
];
