import type { IdentityCore } from '../../src/module.ts';
import { cookieKinds } from '../../src/identity/cookie-kinds.ts';
import type { SecretKind } from '../../src/kit/secret.ts';

/** Every kind of bearer secret of a service: those of cookies, and those of mailed tokens that its modules declare. */
export function secretKindsOf({ tokens }: IdentityCore): readonly SecretKind[] {
  return [...cookieKinds, ...tokens.kinds];
}
