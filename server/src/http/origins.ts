import { isLoopback } from '../config/parse.ts';

export interface OriginsOptions {
  readonly publicUrl: URL | undefined;
  readonly isPublic: boolean;
  /** Of other applications whose pages may call this service. */
  readonly allowedOrigins: readonly string[];
}

/** Whose pages may call this service: our own, and those that the operator named (RFC 6454 §6.2 for their spelling). */
export class Origins {
  readonly #ours: string | undefined;
  readonly #isPublic: boolean;
  readonly #allowed: ReadonlySet<string>;

  constructor({ publicUrl, isPublic, allowedOrigins }: OriginsOptions) {
    this.#ours = publicUrl?.origin;
    this.#isPublic = isPublic;
    this.#allowed = new Set(allowedOrigins);
  }

  /** True when the operator named any. */
  get allowsOthers(): boolean {
    return this.#allowed.size > 0;
  }

  isAllowed(origin: string): boolean {
    return this.#allowed.has(origin);
  }

  /**
   * True for our own. In local mode it is the host that the request came to, if that is a loopback name: a foreign name
   * that somebody points at 127.0.0.1 is none (DNS rebinding). In public mode the Host header decides nothing.
   */
  isOurs(origin: string, host: string | undefined): boolean {
    if (origin === this.#ours) return true;
    if (this.#isPublic || host === undefined) return false;
    const url = URL.parse(`http://${host}`);
    return url !== null && origin === url.origin && isLoopback(url.hostname);
  }
}
