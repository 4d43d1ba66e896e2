// Limits the rate of requests per network and in total, and of reads per account. Requests that change something are
// counted before the body and any account are read, so the answer does not depend on whether an account exists. A
// session check is free: counting would cost more than the check.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../kit/clock.ts';
import { Problem } from '../../kit/problem.ts';
import type { Log } from '../../kit/log.ts';
import type { ClientAddress } from './client-address.ts';
import { isSafe } from '../method.ts';
import { ProxyHint } from './proxy-hint.ts';
import {
  NetworkLimit,
  RateLimit,
  takeAll,
  type NetworkLimitOptions,
  type Verdict,
} from '../../kit/rate-limit.ts';
import type { RejectionThrottle } from './rejection-throttle.ts';

export interface RequestLimitsOptions extends NetworkLimitOptions {
  readonly globalLimitPerMinute: number;
  readonly isPublic: boolean;
  readonly clientAddress: ClientAddress;
  readonly log: Log;
  readonly throttle: RejectionThrottle;
}

/** Route config with the cost of a request. */
interface CostConfig {
  cost?: number;
  hashes?: true;
  isFreeRead?: true;
  storesForStrangers?: (query: unknown) => boolean;
}

/** Rate-limit units of a request that hashes a password, and of one that sends a mail. */
export const hashCost = 3;
export const mailCost = 5;

/** Returns the config of a route whose requests cost more than one unit, such as verifying a factor or sending a mail. */
export function costing(units: number): object {
  return { cost: units } satisfies CostConfig;
}

/** Returns the config of a route that hashes a password: its requests are rejected early while the hasher is too busy. */
export function hashing(units: number): object {
  return { cost: units, hashes: true } satisfies CostConfig;
}

/**
 * Returns the config of a GET route that stores something for a client without an account: such a request costs one unit.
 * For an account it is a read.
 * @param stores Returns whether a request with this query stores something.
 */
export function storingForStrangers(stores: (query: unknown) => boolean): object {
  return { storesForStrangers: stores } satisfies CostConfig;
}

/** Returns whether a request of a client without an account counts as one that stores something. */
export function storesForStrangers({ query, routeOptions: { config } }: FastifyRequest): boolean {
  return (config as CostConfig).storesForStrangers?.(query) === true; // written by storingForStrangers()
}

function isStoring(config: unknown): boolean {
  return (config as CostConfig | undefined)?.storesForStrangers !== undefined; // written by storingForStrangers()
}

/**
 * Config of a route that reads nothing but the session and its user, such as a session check: it does not count as a
 * read of the account.
 */
export const freeRead: object = { isFreeRead: true } satisfies CostConfig;

/** Returns whether requests of a route count as reads of the account that sends them. */
export function isCountedRead(method: string, config: unknown): boolean {
  const { isFreeRead } = (config ?? {}) as CostConfig; // written by freeRead
  return method !== 'OPTIONS' && isSafe(method) && isFreeRead !== true;
}

/** Returns whether the config is of a route that hashes a password. */
export function hashes(config: unknown): boolean {
  return (config as CostConfig | undefined)?.hashes === true; // written by hashing()
}

/**
 * Returns the cost of a request in units: none for reading, one for reading that stores something for strangers, and for
 * every other request one, unless the route declares more.
 */
export function costOf(method: string, config: unknown): number {
  if (isSafe(method)) return method === 'GET' && isStoring(config) ? 1 : 0;
  return (config as CostConfig | undefined)?.cost ?? 1; // written by costing()
}

export class RequestLimits {
  readonly #perNetwork: NetworkLimit;
  readonly #total: RateLimit;
  readonly #clientAddress: ClientAddress;
  readonly #policy: string;
  readonly #hint: ProxyHint | undefined;
  readonly #throttle: RejectionThrottle;

  constructor(options: RequestLimitsOptions) {
    const { addressLimitPerMinute, globalLimitPerMinute, isPublic, clientAddress, clock, log, throttle } =
      options;
    this.#throttle = throttle;
    this.#perNetwork = new NetworkLimit(options);
    this.#total = new RateLimit({ perMinute: globalLimitPerMinute, maxKeys: kindsOfTotal.length + 1, clock });
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
      this.#hint?.note(this.#clientAddress.of(request).address);
      return this.count(request, reply, done);
    });
  }

  /**
   * Counts a request, and rejects it with `too_many_requests` above a limit. For every change `install` adds it as a hook.
   */
  count(request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void {
    const { config } = request.routeOptions;
    const cost = costOf(request.method, config);
    const { isAllowed, remaining, seconds } = this.#perNetwork.take(
      this.#clientAddress.of(request).key,
      cost,
    );
    // Structured fields of draft-ietf-httpapi-ratelimit-headers-11 §3, §4: remaining units, and the seconds until they are
    // reset.
    void reply
      .header('ratelimit-policy', this.#policy)
      .header('ratelimit', `"address";r=${remaining};t=${seconds}`);
    const reject = (retryAfterSeconds: number): void =>
      this.#throttle.refuse(done, new Problem('too_many_requests', { retryAfterSeconds }));
    if (!isAllowed) return reject(seconds);
    const kind = kindOfTotal(config, cost);
    if (kind === undefined) return done();
    // Checked second, so that a single network cannot use up the total limit. It has no headers, which would reveal how
    // many requests other clients send.
    const all = this.#total.take(kind, cost);
    return all.isAllowed ? done() : reject(all.seconds);
  }
}

/**
 * What is limited in total, each in a bucket of its own, so that a flood of one kind rejects no other: requests that hash
 * a password, that send a mail, that store something for strangers, and that verify something else. Cheap requests are
 * limited per network only.
 */
const kindsOfTotal = ['hashing', 'mail', 'storing', 'verification'] as const;

function kindOfTotal(config: unknown, cost: number): (typeof kindsOfTotal)[number] | undefined {
  if (hashes(config)) return 'hashing';
  if (isStoring(config)) return 'storing';
  if (cost >= mailCost) return 'mail';
  return cost > 1 ? 'verification' : undefined;
}

/** Number of accounts and of sessions that are remembered. */
const maxReaders = 50_000;

/** Who reads: a session of an account, or a pending authentication. */
interface Reader {
  readonly session: { readonly id: string; readonly userId: number } | null;
  readonly pendingAuthentication: { readonly id: string } | null;
}

/**
 * Limits how many pages and lists an account reads per minute. A session may use up half of it, so that a stolen session
 * does not keep its owner from the pages that end it. A pending authentication has a limit of its own: a client that
 * knows only the password must not use up the limit of the account.
 */
export class AccountReads {
  readonly #perAccount: RateLimit;
  readonly #perSession: RateLimit;

  constructor({ perMinute, clock }: { readonly perMinute: number; readonly clock: Clock }) {
    this.#perAccount = new RateLimit({ perMinute, maxKeys: maxReaders, clock });
    this.#perSession = new RateLimit({ perMinute: perMinute / 2, maxKeys: maxReaders, clock });
  }

  /** Counts a read; `undefined` for a client without an account. */
  take({ session, pendingAuthentication }: Reader): Verdict | undefined {
    if (session !== null)
      return takeAll(
        [
          { limit: this.#perSession, key: session.id },
          { limit: this.#perAccount, key: String(session.userId) },
        ],
        1,
      );
    return pendingAuthentication === null ? undefined : this.#perSession.take(pendingAuthentication.id, 1);
  }
}
