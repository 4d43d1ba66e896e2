// Where a person goes when all is done: a path of ours, or a page of an application that the operator named. Anything
// else is no target, and the person stays here (CWE-601).
import { isLoopback } from '../config/parse.ts';

export interface ReturnTargetsOptions {
  /** Ours, as people reach it: behind one proxy an application may stand beside us. */
  readonly ownOrigin: string;
  /** Origins of applications. */
  readonly allowedOrigins: readonly string[];
  /** Local mode: applications on this machine need not be named. */
  readonly allowsLoopback: boolean;
}

/** Characters of the longest target. */
const maxCharacters = 2000;
/** Stands for our own origin while a path is read: no name can be it (RFC 6761 §6.4). */
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

  /** Sources for a page's `form-action`: browsers hold the redirect after a form to it. */
  get sources(): readonly string[] {
    return [...this.#allowed, ...(this.#allowsLoopback ? ['http://localhost:*', 'http://127.0.0.1:*'] : [])];
  }

  /** The target as it may be sent in a Location: a path of ours, or an address of an allowed origin. */
  parse(text: string | undefined): string | undefined {
    if (text === undefined || text === '' || text.length > maxCharacters) return undefined;
    // What a browser leaves out, and what it takes for a slash (WHATWG URL §4.4).
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
  // Dot segments may leave two slashes at the front (`/.//evil.test`): a browser takes what follows for a host.
  if (url === null || url.origin !== own || url.pathname.startsWith('//')) return undefined;
  return `${url.pathname}${url.search}${url.hash}`;
}
