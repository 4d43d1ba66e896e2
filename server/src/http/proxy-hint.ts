import type { Log } from '../kit/log.ts';
import { isPrivateAddress } from './client-address.ts';

/** Number of requests from one private address after which it is probably a proxy. */
const requestsBeforeHint = 200;

/** Warns once if all requests come from one private address: behind a proxy that is not trusted, all users share one limit. */
export class ProxyHint {
  readonly #log: Log;
  #address: string | undefined;
  #count = 0;
  #isSettled = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Counts a request of an address. */
  note(address: string): void {
    if (this.#isSettled) return;
    this.#address ??= address;
    this.#count += 1;
    const isShared = address === this.#address && isPrivateAddress(address);
    if (isShared && this.#count < requestsBeforeHint) return;
    this.#isSettled = true;
    if (!isShared) return;
    this.#log.warn(
      { address },
      'All requests come from one private address, probably a proxy. Add its network to TRUSTED_PROXIES; otherwise all clients share one rate limit',
    );
  }
}
