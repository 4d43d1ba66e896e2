// Reads and writes the cookies of the service. All of them pass through the class `Cookie`, so that the name with the
// prefix `__Host-` is compared here as browsers compare it.
import { stringifySetCookie } from 'cookie';
import { secondMs } from '../../kit/clock.ts';

/** Name and value of a cookie, as they are in the header. */
type CookiePair = readonly [name: string, value: string];

/** The last header and its pairs, cached because a request reads several cookies from the same header. */
let last: { readonly header: string; readonly pairs: readonly CookiePair[] } = { header: '', pairs: [] };

/**
 * Returns the cookies of a Cookie header in their order; a part without `=` is ignored (RFC 6265 §4.2.1). Only spaces and
 * tabs around a pair are removed (RFC 6265bis §5.5). `String.trim` would also remove U+00A0, the byte A0 of a header:
 * for a browser such a name does not begin with `__Host-`, so a sibling host may set it with `Domain`.
 */
function splitCookies(header: string): readonly CookiePair[] {
  if (header === last.header) return last.pairs;
  const pairs: CookiePair[] = [];
  for (const part of header.split(';')) {
    const pair = trimBlanks(part);
    const equals = pair.indexOf('=');
    if (equals > 0) pairs.push([pair.slice(0, equals), pair.slice(equals + 1)]);
  }
  last = { header, pairs };
  return pairs;
}

/** Removes spaces and tabs at both ends. A loop, because a regular expression would be quadratic in a run of blanks. */
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text, start)) start += 1;
  while (end > start && isBlank(text, end - 1)) end -= 1;
  return text.slice(start, end);
}

function isBlank(text: string, index: number): boolean {
  return text[index] === ' ' || text[index] === '\t';
}

/** A reply on which node:http has headers. */
interface CookieHeaders {
  getHeader(name: string): unknown;
  setHeader(name: string, value: string[]): unknown;
  removeHeader(name: string): void;
}

/** Removes the Set-Cookie headers of one cookie from a reply that another library has written. */
export function dropCookie(response: CookieHeaders, name: string): void {
  const all = [response.getHeader('set-cookie') ?? []].flat().map(String);
  const kept = all.filter((cookie) => !cookie.startsWith(`${name}=`));
  if (kept.length === all.length) return;
  if (kept.length === 0) response.removeHeader('set-cookie');
  else response.setHeader('set-cookie', kept);
}

/** What all cookies of a service have in common. */
export interface CookieScope {
  /** Sent over https only, under a name that a subdomain cannot set (RFC 6265bis §4.1.3.2, `__Host-`). */
  readonly secure: boolean;
  /** Beginning of each name. Cookies know no port: services on one host need different ones. */
  readonly prefix: string;
}

export interface CookieOptions {
  /** Name without prefix. */
  readonly name: string;
  readonly scope: CookieScope;
  /** Returns whether a value is well-formed. */
  readonly accepts: (value: string) => boolean;
}

/** A cookie of the service. */
export class Cookie {
  readonly name: string;
  readonly #secure: boolean;
  readonly #accepts: (value: string) => boolean;

  constructor({ name, scope: { secure, prefix }, accepts }: CookieOptions) {
    this.name = `${secure ? '__Host-' : ''}${prefix}${name}`;
    this.#secure = secure;
    this.#accepts = accepts;
  }

  /**
   * Returns the first well-formed value with the name of the cookie in a Cookie header; `undefined` if it has none. A
   * client may also send a stale cookie of that name, or one that an attacker set.
   */
  read(header: string | undefined): string | undefined {
    if (header === undefined) return undefined;
    for (const [name, value] of splitCookies(header))
      if (name === this.name && this.#accepts(value)) return value;
    return undefined;
  }

  /** Returns the Set-Cookie header for a new value that is valid for `lifeMs`, or until the browser ends. */
  write(value: string, lifeMs: number | 'browser'): string {
    return this.#serialize(value, lifeMs === 'browser' ? undefined : Math.floor(lifeMs / secondMs));
  }

  /** Returns the Set-Cookie header that removes the cookie. */
  clear(): string {
    return this.#serialize('', 0);
  }

  #serialize(value: string, maxAge: number | undefined): string {
    return stringifySetCookie({
      name: this.name,
      value,
      path: '/',
      httpOnly: true,
      sameSite: 'lax',
      secure: this.#secure,
      ...(maxAge !== undefined && { maxAge }),
    });
  }
}
