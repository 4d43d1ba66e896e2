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
    this.#keep(key, kept);
    return {
      isAllowed,
      remaining: Math.floor((now + minuteMs - kept) / this.#unitMs + epsilon),
      seconds: Math.ceil((isAllowed ? next - now : overMs) / secondMs),
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
