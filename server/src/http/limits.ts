// Limits the rate of requests per address and in total. Requests are counted before the body and any account are read,
// so the answer does not depend on whether an account exists. Reading is free: counting would cost more than a session
// check.
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
 * Number of addresses that are remembered, in about 10 MB. An attacker with more networks than that can displace their
 * own counters. This is acceptable, because attempts per account are counted in the database.
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

/** Route config with the cost of a request. */
interface CostConfig {
  cost?: number;
  hashes?: true;
}

/** Returns the config of a route whose requests cost more than one unit, such as verifying a factor or sending a mail. */
export function costing(units: number): object {
  return { cost: units } satisfies CostConfig;
}

/** Returns the config of a route that hashes a password: its requests are rejected early while the hasher is too busy. */
export function hashing(units: number): object {
  return { cost: units, hashes: true } satisfies CostConfig;
}

/** Returns whether the config is of a route that hashes a password. */
export function hashes(config: unknown): boolean {
  return (config as CostConfig | undefined)?.hashes === true; // written by hashing()
}

/** Returns the cost of a request in units: none for reading, and one unless the route declares more. */
export function costOf(method: string, config: unknown): number {
  if (isSafe(method)) return 0;
  return (config as CostConfig | undefined)?.cost ?? 1; // written by costing()
}

export class RequestLimits {
  readonly #perAddress: RateLimit;
  readonly #total: RateLimit;
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
    this.#total = new RateLimit({ perMinute: globalLimitPerMinute, maxKeys: 1, clock });
    this.#clientAddress = clientAddress;
    this.#policy = `"address";q=${addressLimitPerMinute};w=60`;
    this.#hint = isPublic && !clientAddress.trustsProxies ? new ProxyHint(log) : undefined;
  }

  /**
   * Installs the hook, which counts requests that change something and rejects them with `too_many_requests` above a
   * limit.
   */
  install(app: FastifyInstance): void {
    app.addHook('onRequest', (request, reply, done) => {
      if (isSafe(request.method)) return done();
      const { address, key } = this.#clientAddress.of(request);
      this.#hint?.note(address);
      const cost = costOf(request.method, request.routeOptions.config);
      const { isAllowed, remaining, seconds } = this.#perAddress.take(key, cost);
      // Structured fields of draft-ietf-httpapi-ratelimit-headers-11 §3, §4: remaining units, and the seconds until
      // they are reset.
      void reply
        .header('ratelimit-policy', this.#policy)
        .header('ratelimit', `"address";r=${remaining};t=${seconds}`);
      const reject = (retryAfterSeconds: number): void =>
        this.#throttle.refuse(done, new Problem('too_many_requests', { retryAfterSeconds }));
      if (!isAllowed) return reject(seconds);
      // Checked second, so that a single address cannot use up the total limit. It has no headers, which would reveal how
      // many requests other clients send.
      const all = this.#total.take('', cost);
      return all.isAllowed ? done() : reject(all.seconds);
    });
  }
}
