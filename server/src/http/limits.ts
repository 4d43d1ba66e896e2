// How much one address, and everybody together, may ask for in a minute. Counted before the body is read and before any
// account is looked at, so the answer is the same whether an account exists or not. Reading is free: a session check
// costs less than its counting would.
import type { FastifyInstance } from 'fastify';
import { Problem } from '../kit/problem.ts';
import type { Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import type { ClientAddress } from './client-address.ts';
import { isSafe } from './method.ts';
import { ProxyHint } from './proxy-hint.ts';
import { RateLimit } from '../kit/rate-limit.ts';
import type { RejectionThrottle } from './rejection-throttle.ts';

/**
 * Addresses that are remembered: some 10 MB. An attacker who has more networks than that can push his own counter out.
 * That is acceptable, because what keeps an account from being guessed is counted in the database, by account.
 */
const maxAddresses = 50_000;

export interface RequestLimitsOptions {
  readonly addressLimitPerMinute: number;
  readonly globalLimitPerMinute: number;
  readonly isPublic: boolean;
  readonly clientAddress: ClientAddress;
  readonly clock: Clock;
  readonly log: Log;
  readonly throttle: RejectionThrottle;
}

/** The config of a route, where its cost is written. */
interface CostConfig {
  cost?: number;
  hashes?: true;
}

/** Config of a route whose requests consume more than one unit: those that verify a factor or send a mail. */
export function costing(units: number): object {
  return { cost: units } satisfies CostConfig;
}

/** Config of a route that hashes a password: it is refused early while no hash could be finished in time. */
export function hashing(units: number): object {
  return { cost: units, hashes: true } satisfies CostConfig;
}

/** True for the config of a route that hashes a password. */
export function hashes(config: unknown): boolean {
  return (config as CostConfig | undefined)?.hashes === true; // written by hashing()
}

/** Units that a request to a route takes: none for reading, one unless the route names more. */
export function costOf(method: string, config: unknown): number {
  if (isSafe(method)) return 0;
  return (config as CostConfig | undefined)?.cost ?? 1; // written by costing()
}

export class RequestLimits {
  readonly #perAddress: RateLimit;
  readonly #everybody: RateLimit;
  readonly #clientAddress: ClientAddress;
  readonly #policy: string;
  readonly #hint: ProxyHint | undefined;
  readonly #throttle: RejectionThrottle;

  constructor({
    addressLimitPerMinute,
    globalLimitPerMinute,
    isPublic,
    clientAddress,
    clock,
    log,
    throttle,
  }: RequestLimitsOptions) {
    this.#throttle = throttle;
    this.#perAddress = new RateLimit({ perMinute: addressLimitPerMinute, maxKeys: maxAddresses, clock });
    this.#everybody = new RateLimit({ perMinute: globalLimitPerMinute, maxKeys: 1, clock });
    this.#clientAddress = clientAddress;
    this.#policy = `"address";q=${addressLimitPerMinute};w=60`;
    this.#hint = isPublic && !clientAddress.trustsProxies ? new ProxyHint(log) : undefined;
  }

  /** Counts each request that changes something; above a limit it is refused with `too_many_requests`. */
  install(app: FastifyInstance): void {
    app.addHook('onRequest', (request, reply, done) => {
      if (isSafe(request.method)) return done();
      const { address, key } = this.#clientAddress.of(request);
      this.#hint?.note(address);
      const cost = costOf(request.method, request.routeOptions.config);
      const { isAllowed, remaining, seconds } = this.#perAddress.take(key, cost);
      // Structured fields of draft-ietf-httpapi-ratelimit-headers-11 §3, §4: units left, and for how many seconds.
      void reply
        .header('ratelimit-policy', this.#policy)
        .header('ratelimit', `"address";r=${remaining};t=${seconds}`);
      const refuse = (retryAfterSeconds: number): void =>
        this.#throttle.refuse(done, new Problem('too_many_requests', { retryAfterSeconds }));
      if (!isAllowed) return refuse(seconds);
      // Asked second, so that one address alone cannot use up everybody's. Nothing is told of it: how much all the
      // others do is nobody's business.
      const all = this.#everybody.take('', cost);
      return all.isAllowed ? done() : refuse(all.seconds);
    });
  }
}
