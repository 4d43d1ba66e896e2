import type { Log } from '../kit/log.ts';
import { isPrivateAddress } from './client-address.ts';

/** Requests from one private address before we say that it looks like a proxy. */
const suspectAfter = 200;

/** Notices that all requests come from one private address, and says so once: behind a proxy that the operator did not name, all people share one limit. */
export class ProxyHint {
  readonly #log: Log;
  #address: string | undefined;
  #count = 0;
  #isSettled = false;

  constructor(log: Log) {
    this.#log = log;
  }

  note(address: string): void {
    if (this.#isSettled) return;
    this.#address ??= address;
    this.#count += 1;
    const isShared = address === this.#address && isPrivateAddress(address);
    if (isShared && this.#count < suspectAfter) return;
    this.#isSettled = true;
    if (!isShared) return;
    this.#log.warn(
      { address },
      'All requests come from one private address, probably a proxy. Add its network to TRUSTED_PROXIES; otherwise all clients share one rate limit',
    );
  }
}
