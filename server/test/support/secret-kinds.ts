import type { Core } from '../../src/app/core.ts';
import { cookieKinds } from '../../src/identity/cookie-kinds.ts';
import type { SecretKind } from '../../src/kit/secret.ts';

/** Every kind of bearer secret of a service: those of cookies, and those of mailed tokens that its modules declare. */
export function secretKindsOf({ auth }: Core): readonly SecretKind[] {
  return [...cookieKinds, ...auth.identity.tokens.kinds];
}
