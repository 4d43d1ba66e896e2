// The options of a hasher, and their ranges.
import { hourMs, minuteMs } from '../kit/clock.ts';
import { requireMembers, type Members } from '../kit/text/members.ts';

/** Cost of argon2id (RFC 9106 §3.1). */
export interface HashCost {
  /** Memory in KiB. */
  readonly memoryKib: number;
  /** Passes over the memory. */
  readonly passes: number;
}

/**
 * The default cost, of the OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
 * @public The benchmarks use the same cost.
 */
export const defaultHashCost: HashCost = { memoryKib: 19_456, passes: 2 };

export interface HasherOptions {
  readonly cost?: HashCost;
  /** Number of hashing threads. The default is one per core, as they run at the lowest priority. */
  readonly threads?: number;
  /** Maximum wait for a thread in milliseconds; a job that would wait longer is rejected immediately. */
  readonly maxWaitMs?: number;
  /**
   * Maximum time for a hash in milliseconds, with its wait. The default lets a request be rejected before its client gives
   * up.
   */
  readonly maxTotalMs?: number;
  /** Niceness of the threads on Linux, 0 to 19 (setpriority(2)). By default the lowest priority: requests run first. */
  readonly niceness?: number;
}

/**
 * For a command, which has no requests that must run first, and no client that would give up: a hash may take its time, also
 * next to busy programs.
 */
export const patientHashing: HasherOptions = {
  niceness: 0,
  maxWaitMs: minuteMs,
  maxTotalMs: 2 * minuteMs,
};

const costMembers: Members<HashCost> = { memoryKib: 'number', passes: 'number' };
const optionMembers: Members<HasherOptions> = {
  cost: 'object',
  threads: 'number',
  maxWaitMs: 'number',
  maxTotalMs: 'number',
  niceness: 'number',
};

/** An option that is a number. */
type NumberName = keyof HashCost | Exclude<keyof HasherOptions, 'cost'>;

/** The least and the largest value of each number. */
const ranges: Readonly<Record<NumberName, readonly [min: number, max: number]>> = {
  memoryKib: [8, 4 * 1_048_576], // the minimum of argon2 (RFC 9106 §3.1)
  passes: [1, 1000],
  threads: [1, 1024],
  maxWaitMs: [0, hourMs],
  maxTotalMs: [1, hourMs],
  niceness: [0, 19],
};

/**
 * Requires the options of a `Hasher`: what it ignored would make hashes of another cost than the program asks for.
 * @throws {TypeError} if an option is unknown or of another type.
 * @throws {RangeError} if a number is not whole, or out of its range.
 */
export function requireHasherOptions(options: HasherOptions): void {
  requireMembers('Hasher', options, optionMembers);
  const { cost, ...limits } = options;
  if (cost !== undefined) {
    requireMembers('HashCost', cost, costMembers);
    for (const name of Object.keys(costMembers))
      if (!(name in cost)) throw new TypeError(`HashCost needs ${name}`);
  }
  for (const [name, value] of Object.entries<number | undefined>({ ...limits, ...cost })) {
    const [min, max] = ranges[name as NumberName]; // requireMembers knows no other name
    if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) continue;
    throw new RangeError(
      `The option ${name} of Hasher must be a whole number from ${min} to ${max}, not ${value}`,
    );
  }
}
