// Limits requests of applications. A back end sends many requests from one address: those that it authenticates are free.
// Failed requests count per network; a wrong
// secret also counts per client and network.
import { NetworkLimit, RateLimit, type NetworkLimitOptions, type Verdict } from '../../../kit/rate-limit.ts';

/** Wrong secrets of one client from one network in a minute, after which right ones are refused too. */
const wrongSecretsPerMinute = 10;
const maxKeys = 50_000;

export class ClientLimit {
  readonly #failures: NetworkLimit;
  readonly #wrongSecrets: RateLimit;

  constructor(options: NetworkLimitOptions) {
    this.#failures = new NetworkLimit(options);
    this.#wrongSecrets = new RateLimit({ perMinute: wrongSecretsPerMinute, maxKeys, clock: options.clock });
  }

  /** Returns whether a network may send another request. */
  ask(network: string): Verdict {
    return this.#failures.take(network, 0);
  }

  /** Counts a request that failed, or that was not authenticated. */
  note(network: string): void {
    this.#failures.take(network, 1);
  }

  /** Returns whether the secret of a client may be tried from a network. */
  maySecretBeTried(clientId: string, network: string): boolean {
    return this.#wrongSecrets.take(keyOf(clientId, network), 0).remaining > 0;
  }

  noteWrongSecret(clientId: string, network: string): void {
    this.#wrongSecrets.take(keyOf(clientId, network), 1);
  }
}

function keyOf(clientId: string, network: string): string {
  return `${network} ${clientId}`;
}
