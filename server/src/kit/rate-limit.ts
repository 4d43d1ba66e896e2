// Limits how often something may happen per key and minute, in the memory of this process. Each key has a bucket that
// holds the units of one minute and refills steadily. Only the time at which a bucket will be full again is stored (the
// generic cell rate algorithm, ITU-T I.371 annex A): one number, no timer, constant work for each request.
import { minuteMs, secondMs, type Clock } from './clock.ts';

/** Decision about one request. */
export interface Verdict {
  readonly isAllowed: boolean;
  /** Units that are left in the bucket. */
  readonly remaining: number;
  /** For a rejected request, seconds until it may be retried; for an allowed one, seconds until the bucket is full. */
  readonly seconds: number;
}

/** A decision that is not stored yet. */
interface Answer extends Verdict {
  /** Stores it. */
  readonly keep: () => void;
}

/** The bucket of a key in one limit. */
export interface Bucket {
  readonly limit: RateLimit;
  readonly key: string;
}

/**
 * Takes units from all of the buckets or from none: a request that one bucket rejects must not use up the others, which
 * more clients share. Returns the decision of the bucket that rejects it, or else of the one with the fewest units left.
 * A rejected request adds no key, so that it displaces none.
 */
export function takeAll(buckets: readonly [Bucket, ...Bucket[]], units: number): Verdict {
  const answers = buckets.map(({ limit, key }) => limit.ask(key, units));
  const rejected = answers.find(({ isAllowed }) => !isAllowed);
  for (const { keep } of rejected === undefined ? answers : [rejected]) keep();
  const { isAllowed, remaining, seconds } =
    rejected ?? answers.reduce((one, other) => (other.remaining < one.remaining ? other : one));
  return { isAllowed, remaining, seconds };
}

export interface RateLimitOptions {
  readonly perMinute: number;
  readonly clock: Clock;
  /** The last `maxKeys` different keys are always remembered; at most twice as many are stored. */
  readonly maxKeys: number;
}

/** Tolerance for rounding errors of fractions, in units. */
const epsilon = 1e-3;

export class RateLimit {
  readonly #unitMs: number;
  readonly #clock: Clock;
  readonly #maxKeys: number;
  /** Times are relative to this one; adding small numbers loses less floating-point precision. */
  readonly #startedAt: number;
  /** Time at which the bucket of a key is full again, in milliseconds: keys seen recently, then keys seen before them. */
  #recent = new Map<string, number>();
  #earlier: ReadonlyMap<string, number> = new Map();

  constructor({ perMinute, clock, maxKeys }: RateLimitOptions) {
    this.#unitMs = minuteMs / perMinute;
    this.#clock = clock;
    this.#startedAt = clock();
    this.#maxKeys = maxKeys;
  }

  /** Takes units from the bucket of a key and returns the decision. A rejected request takes none. */
  take(key: string, units: number): Verdict {
    return takeAll([{ limit: this, key }], units);
  }

  /** Decides about a request; `keep` of the answer then takes the units. */
  ask(key: string, units: number): Answer {
    const now = this.#clock() - this.#startedAt;
    const known = this.#recent.get(key) ?? this.#earlier.get(key) ?? now;
    // A bucket fills within a minute. If this one would take longer, the clock was set back, and the bucket counts as
    // full.
    const isSetBack = known > now + 2 * minuteMs;
    const fullAt = isSetBack ? now : Math.min(Math.max(known, now), now + minuteMs);
    const next = fullAt + units * this.#unitMs;
    const overMs = next - now - minuteMs;
    const isAllowed = overMs <= this.#unitMs * epsilon;
    const kept = isAllowed ? next : fullAt;
    return {
      isAllowed,
      remaining: Math.floor((now + minuteMs - kept) / this.#unitMs + epsilon),
      seconds: Math.ceil((isAllowed ? next - now : overMs) / secondMs),
      keep: () => this.#keep(key, kept),
    };
  }

  /** Drops the older half as a whole, because removing single keys from a large map one after another is slow. */
  #keep(key: string, fullAt: number): void {
    this.#recent.set(key, fullAt);
    if (this.#recent.size < this.#maxKeys) return;
    this.#earlier = this.#recent;
    this.#recent = new Map();
  }
}

// Networks. One subscriber or cheap server has many IPv6 networks of the smallest size (/64), so that the wider networks
// around it have limits of their own.

/**
 * Number of networks of each size that are remembered, in about 10 MB. An attacker with more networks than that can
 * displace their own counters. This is acceptable, because attempts per account are counted in the database.
 */
const maxNetworks = 50_000;

export interface NetworkLimitOptions {
  /** Units per minute of an IPv4 address, or an IPv6 /64. */
  readonly addressLimitPerMinute: number;
  /** Of an IPv6 /56, which one subscriber has. */
  readonly ipv6SiteLimitPerMinute: number;
  /** Of an IPv6 /48, which one organization or a part of a provider has. */
  readonly ipv6BlockLimitPerMinute: number;
  readonly clock: Clock;
}

/** A limit per address, and per IPv6 site and block, which one client may hold as a whole. */
export class NetworkLimit {
  readonly #perAddress: RateLimit;
  readonly #perSite: RateLimit;
  readonly #perBlock: RateLimit;

  constructor({ clock, ...options }: NetworkLimitOptions) {
    const limitOf = (perMinute: number): RateLimit =>
      new RateLimit({ perMinute, maxKeys: maxNetworks, clock });
    this.#perAddress = limitOf(options.addressLimitPerMinute);
    this.#perSite = limitOf(options.ipv6SiteLimitPerMinute);
    this.#perBlock = limitOf(options.ipv6BlockLimitPerMinute);
  }

  /**
   * Takes units from the buckets of a network and of those around it, or from none of them.
   * @param key an IPv4 address, or an IPv6 network such as `2001:db8:0:1::/64`.
   */
  take(key: string, units: number): Verdict {
    const own: Bucket = { limit: this.#perAddress, key };
    const block = blockOf(key);
    if (block === key) return takeAll([own], units);
    const subnet = key.slice(block.length + 1, key.indexOf('::'));
    const site = `${block}:${subnet.padStart(4, '0').slice(0, 2)}`;
    return takeAll([own, { limit: this.#perSite, key: site }, { limit: this.#perBlock, key: block }], units);
  }
}

/** Returns the first three groups of an IPv6 /64, its /48; any other key as it is. */
export function blockOf(key: string): string {
  return /^([\da-f]+:[\da-f]+:[\da-f]+):[\da-f]+::\/64$/.exec(key)?.[1] ?? key;
}
