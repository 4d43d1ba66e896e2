// Reads and writes a cookie that contains a token.
import { stringifySetCookie } from 'cookie';
import { isWellFormed, type SecretKind } from '../kit/secret.ts';
import { secondMs } from '../kit/clock.ts';
import { splitCookies } from './cookies.ts';

export interface TokenCookieOptions {
  /** Name without prefix. */
  readonly name: string;
  /** Kind of its token. */
  readonly kind: SecretKind;
  /** Sent over https only, under a name that a subdomain cannot set (RFC 6265bis §4.1.3.2, `__Host-`). */
  readonly secure: boolean;
}

export class TokenCookie {
  readonly name: string;
  readonly #kind: SecretKind;
  readonly #secure: boolean;

  constructor({ name, kind, secure }: TokenCookieOptions) {
    this.name = secure ? `__Host-${name}` : name;
    this.#kind = kind;
    this.#secure = secure;
  }

  /**
   * Returns the first well-formed token with the name of the cookie in a Cookie header; `undefined` if it has none. A
   * client may also send a stale cookie of that name, or one that an attacker set.
   */
  read(header: string | undefined): string | undefined {
    for (const [name, value] of splitCookies(header))
      if (name === this.name && isWellFormed(this.#kind, value)) return value;
    return undefined;
  }

  /** Returns the Set-Cookie header for a new token that is valid for `lifeMs`. */
  write(token: string, lifeMs: number): string {
    return this.#serialize(token, Math.floor(lifeMs / secondMs));
  }

  /** Returns the Set-Cookie header that removes the cookie. */
  clear(): string {
    return this.#serialize('', 0);
  }

  #serialize(value: string, maxAge: number): string {
    return stringifySetCookie({
      name: this.name,
      value,
      path: '/',
      httpOnly: true,
      sameSite: 'lax',
      secure: this.#secure,
      maxAge,
    });
  }
}
