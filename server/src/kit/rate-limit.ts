// How often something may happen per key and minute, in the memory of this process. Each key has a bucket that holds
// one minute's worth and refills steadily. Of a bucket only the instant is kept at which it will be full again (the
// generic cell rate algorithm, ITU-T I.371 annex A): one number, no timer, the same few steps for every request.
import { minuteMs, secondMs, type Clock } from './clock.ts';

/** Answer to one request. */
export interface Verdict {
  readonly isAllowed: boolean;
  /** Units that are left. */
  readonly remaining: number;
  /** Seconds until a refused request may come again; of an allowed one, until the bucket is full. */
  readonly seconds: number;
}

export interface RateLimitOptions {
  readonly perMinute: number;
  readonly clock: Clock;
  /** Of so many different keys that were seen last, none is forgotten; at most twice as many are remembered. */
  readonly maxKeys: number;
}

/** Part of a unit by which a sum of fractions may miss the whole one. */
const epsilon = 1e-3;

export class RateLimit {
  readonly #unitMs: number;
  readonly #clock: Clock;
  readonly #maxKeys: number;
  /** Instants are told from here on: sums of small numbers are more exact than those of Unix milliseconds. */
  readonly #startedAt: number;
  /** When the bucket of each key is full again, in milliseconds: of the keys seen lately, and of those seen before. */
  #recent = new Map<string, number>();
  #earlier: ReadonlyMap<string, number> = new Map();

  constructor({ perMinute, clock, maxKeys }: RateLimitOptions) {
    this.#unitMs = minuteMs / perMinute;
    this.#clock = clock;
    this.#startedAt = clock();
    this.#maxKeys = maxKeys;
  }

  /** Takes units out of the bucket of a key. A refused request takes none. */
  take(key: string, units: number): Verdict {
    const now = this.#clock() - this.#startedAt;
    const known = this.#recent.get(key) ?? this.#earlier.get(key) ?? now;
    // No bucket takes longer than a minute to fill. Where one would, the clock was set back, and nobody is refused for that.
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

  /** The older half goes as a whole: taking single keys out of a large map in turn costs a walk through it each. */
  #keep(key: string, fullAt: number): void {
    this.#recent.set(key, fullAt);
    if (this.#recent.size < this.#maxKeys) return;
    this.#earlier = this.#recent;
    this.#recent = new Map();
  }
}
