// A cookie that carries a token: how it is written, and which of several counts.
import { stringifySetCookie } from 'cookie';
import { isWellFormed, type SecretKind } from '../kit/secret.ts';
import { secondMs } from '../kit/clock.ts';
import { splitCookies } from './cookies.ts';

export interface TokenCookieOptions {
  /** Name without prefix. */
  readonly name: string;
  /** Kind of token that it carries. */
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
   * The token in a Cookie header: the first well-formed one under our name, because a client may also hold a stale or
   * planted cookie of that name.
   */
  read(header: string | undefined): string | undefined {
    for (const [name, value] of splitCookies(header))
      if (name === this.name && isWellFormed(this.#kind, value)) return value;
    return undefined;
  }

  /** Set-Cookie for a new token of the given life. */
  write(token: string, lifeMs: number): string {
    return this.#serialize(token, Math.floor(lifeMs / secondMs));
  }

  /** Set-Cookie that removes it. */
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
