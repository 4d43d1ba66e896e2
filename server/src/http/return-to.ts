// Validates `return_to`, the page to which a user returns: a path of this service, or a page of an allowed origin. Any
// other value is ignored, which prevents open redirects (CWE-601).
import { isLoopback } from '../config/parse.ts';

export interface ReturnTargetsOptions {
  /** Public origin of this service. Behind the same proxy an application may share it. */
  readonly ownOrigin: string;
  /** Origins of applications. */
  readonly allowedOrigins: readonly string[];
  /** In local mode applications on this machine need not be configured. */
  readonly allowsLoopback: boolean;
}

/** Maximum length of a target. */
const maxCharacters = 2000;
/** Placeholder for the own origin while a path is parsed; no real host has this name (RFC 6761 §6.4). */
const own = 'http://own.invalid';

export class ReturnTargets {
  readonly #ownOrigin: string;
  readonly #allowed: ReadonlySet<string>;
  readonly #allowsLoopback: boolean;

  constructor({ ownOrigin, allowedOrigins, allowsLoopback }: ReturnTargetsOptions) {
    this.#ownOrigin = ownOrigin;
    this.#allowed = new Set(allowedOrigins);
    this.#allowsLoopback = allowsLoopback;
  }

  /** Returns a target as it may be sent in a Location header; `undefined` if it is not allowed. */
  parse(text: string | undefined): string | undefined {
    if (text === undefined || text === '' || text.length > maxCharacters) return undefined;
    // Rejects characters that a browser removes, or treats as a slash (WHATWG URL §4.4).
    if (/[\s\\\p{Cc}]/u.test(text)) return undefined;
    return text.startsWith('/') ? parsePath(text) : this.#parseAddress(text);
  }

  #parseAddress(text: string): string | undefined {
    if (!/^https?:\/\//i.test(text)) return undefined;
    const url = URL.parse(text);
    if (url === null || url.username !== '' || url.password !== '') return undefined;
    return this.#isAllowed(url) ? url.href : undefined;
  }

  #isAllowed({ origin, protocol, hostname }: URL): boolean {
    if (origin === this.#ownOrigin || this.#allowed.has(origin)) return true;
    return this.#allowsLoopback && protocol === 'http:' && isLoopback(hostname);
  }
}

function parsePath(text: string): string | undefined {
  const url = URL.parse(text, own);
  // Dot segments may leave two leading slashes (`/.//evil.test`), after which a browser expects a host.
  if (url === null || url.origin !== own || url.pathname.startsWith('//')) return undefined;
  return `${url.pathname}${url.search}${url.hash}`;
}
