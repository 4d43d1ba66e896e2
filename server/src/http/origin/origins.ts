import { isLoopback } from '../../config/parse.ts';

export interface OriginsOptions {
  readonly publicUrl: URL | undefined;
  readonly isPublic: boolean;
  /** Origins of applications whose pages may call this service. */
  readonly allowedOrigins: readonly string[];
}

/** Decides which pages may call this service: its own, and those of allowed origins (serialized as in RFC 6454 §6.2). */
export class Origins {
  readonly #ours: string | undefined;
  readonly #isPublic: boolean;
  readonly #allowed: ReadonlySet<string>;

  constructor({ publicUrl, isPublic, allowedOrigins }: OriginsOptions) {
    this.#ours = publicUrl?.origin;
    this.#isPublic = isPublic;
    this.#allowed = new Set(allowedOrigins);
  }

  /** Whether there are allowed origins. */
  get allowsOthers(): boolean {
    return this.#allowed.size > 0;
  }

  isAllowed(origin: string): boolean {
    return this.#allowed.has(origin);
  }

  /**
   * Returns whether an origin is that of this service. In local mode that is the host of the request if it is a
   * loopback name: another name that resolves to 127.0.0.1 does not count (DNS rebinding). In public mode the Host
   * header is ignored.
   */
  isOurs(origin: string, host: string | undefined): boolean {
    if (origin === this.#ours) return true;
    if (this.#isPublic || host === undefined) return false;
    const url = URL.parse(`http://${host}`);
    return url !== null && origin === url.origin && isLocalHost(url.hostname);
  }
}

/**
 * Returns whether a host name in a request is this machine: a loopback address, `localhost` or a name below it, which no
 * browser looks up in the DNS (RFC 6761 §6.3).
 */
export function isLocalHost(hostname: string): boolean {
  return isLoopback(hostname) || hostname.endsWith('.localhost');
}
