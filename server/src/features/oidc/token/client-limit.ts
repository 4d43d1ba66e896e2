// Limits requests of applications. A back end sends many requests from one address: those that it authenticates are free.
// Other failed requests count per network, and so do those that add rows; a wrong secret also counts per client and
// network, and what a public client issues for a user counts per user.
import { NetworkLimit, RateLimit, type NetworkLimitOptions, type Verdict } from '../../../kit/rate-limit.ts';

/** Wrong secrets of one client from one network in a minute, after which right ones are refused too. */
const wrongSecretsPerMinute = 10;
/** Answers with tokens that public clients get for one user in a minute: each adds rows, which are kept for weeks. */
export const answersPerUser = 60;
const maxKeys = 50_000;

/**
 * Endpoints with a limit of their own. Wrong access tokens (`token`) come from anybody who sends them to an application,
 * and must not exclude its back end from the endpoints at which it authenticates (`client`).
 */
export type LimitedKind = 'client' | 'token';

export class ClientLimit {
  readonly #failures: Readonly<Record<LimitedKind, NetworkLimit>>;
  readonly #wrongSecrets: RateLimit;
  readonly #perUser: RateLimit;

  constructor(options: NetworkLimitOptions) {
    this.#failures = { client: new NetworkLimit(options), token: new NetworkLimit(options) };
    const { clock } = options;
    this.#wrongSecrets = new RateLimit({ perMinute: wrongSecretsPerMinute, maxKeys, clock });
    this.#perUser = new RateLimit({ perMinute: answersPerUser, maxKeys, clock });
  }

  /** Returns whether a network may send another request. */
  ask(kind: LimitedKind, network: string): Verdict {
    return this.#failures[kind].take(network, 0);
  }

  /** Counts an answered request. @param units request-cost.ts. */
  note(kind: LimitedKind, network: string, units: number): void {
    if (units > 0) this.#failures[kind].take(network, units);
  }

  /** Counts tokens that a public client is about to get for a user: anybody can use it as their own program. */
  countAnswer(userId: number): Verdict {
    return this.#perUser.take(String(userId), 1);
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
