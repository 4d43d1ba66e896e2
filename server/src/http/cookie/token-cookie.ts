import { isWellFormed, type SecretKind } from '../../kit/secret.ts';
import { Cookie, type CookieOptions } from './cookie.ts';

export interface TokenCookieOptions extends Omit<CookieOptions, 'accepts'> {
  /** Kind of its token. */
  readonly kind: SecretKind;
}

/** A cookie that contains a token. */
export class TokenCookie extends Cookie {
  constructor({ kind, ...options }: TokenCookieOptions) {
    super({ ...options, accepts: (value) => isWellFormed(kind, value) });
  }
}
