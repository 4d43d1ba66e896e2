// The kinds of secrets in cookies. The kinds of mailed tokens are declared by the modules: token/kinds.ts.
import type { SecretKind } from '../kit/secret.ts';

/** A session. */
export const sessionKind: SecretKind = { kind: 'session', prefix: 'ses' };
/** A login that requires a second factor. */
export const pendingAuthenticationKind: SecretKind = { kind: 'pending_authentication', prefix: 'pnd' };
/** A browser in which a user has signed in before. */
export const deviceKind: SecretKind = { kind: 'device', prefix: 'dev' };
/** The initiating browser of a mail: the code of the mail works only there. */
export const requestKind: SecretKind = { kind: 'request', prefix: 'req' };

/** All kinds of cookies. */
export const cookieKinds: readonly SecretKind[] = [
  sessionKind,
  pendingAuthenticationKind,
  deviceKind,
  requestKind,
];
