// Passwords into hashes and back, off the request's thread. Callers see one class; that it keeps threads, and that a
// flood of logins is turned away at its door, stays in here.
import { availableParallelism } from 'node:os';
import { Problem } from '../kit/problem.ts';
import { secondMs } from '../kit/clock.ts';
import { HashPool } from './hash-pool.ts';
import type { Match } from './hash-worker.ts';

/** Cost of argon2id (RFC 9106 §3.1). */
export interface HashCost {
  /** Memory in KiB. */
  readonly memoryKib: number;
  /** Passes over it. */
  readonly passes: number;
}

/**
 * OWASP Password Storage: 19 MiB, two passes, one lane.
 * @public The benchmarks hash alike.
 */
export const defaultHashCost: HashCost = { memoryKib: 19_456, passes: 2 };

export interface HasherOptions {
  readonly cost?: HashCost;
  /** Threads that hash; one per core is right, as they run at the lowest priority. */
  readonly threads?: number;
  /** Longest wait for a thread in milliseconds; a job that would wait longer is refused at once. */
  readonly longestWaitMs?: number;
}

export interface Verification {
  readonly matches: boolean;
  /** The hash was made by another method or at a lower cost than today's: hash the password anew. */
  readonly outdated: boolean;
  /**
   * Why the stored hash cannot be verified at all: its owner never gets in, so it is the caller's to log. Holds nothing
   * of the hash or the password.
   */
  readonly unreadable?: string;
}

const noMatch: Match = { matches: false };
/** What this service writes; anything else came from elsewhere. */
const ownPattern = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$/;

export class Hasher {
  readonly #cost: HashCost;
  readonly #pool: HashPool;
  #dummyHash: Promise<string> | undefined;

  constructor({
    cost = defaultHashCost,
    threads = availableParallelism(),
    longestWaitMs = 2 * secondMs,
  }: HasherOptions = {}) {
    this.#cost = cost;
    this.#pool = new HashPool(threads, longestWaitMs);
  }

  /** Starts the threads, so that the first login need not wait for them. */
  async warm(): Promise<void> {
    await this.#dummy();
  }

  /**
   * A salted argon2id hash as a PHC string. The password is taken in normal form C, so that one keyboard's accents
   * equal another's (NIST SP 800-63B-4 §3.1.1.2), and never cut.
   * @throws {Problem} too_busy when it would wait too long.
   */
  async hash(password: string): Promise<string> {
    this.#pool.requireCapacity();
    return this.#hash(password);
  }

  /**
   * Asks whether a verification would be done in time. For whoever must do something before it (count a try) that
   * should not happen in vain; it then passes `isAdmitted` to `verify`.
   * @throws {Problem} too_busy when it would wait too long.
   */
  requireCapacity(): void {
    this.#pool.requireCapacity();
  }

  #hash(password: string): Promise<string> {
    return this.#pool.run<string>({ kind: 'hash', password: password.normalize('NFC'), ...this.#cost });
  }

  /**
   * Compares a password with a stored hash: ours, or one of the formats of format.ts. Without a hash (an unknown user)
   * a verification of the same cost is done all the same, so that the time tells nothing (OWASP ASVS 5.0 §6.3.8). So it
   * is after a refusal by an outdated hash, which may have cost nothing, while a match is followed by a new hash; only
   * a hash dearer than ours still shows.
   * @throws {Problem} too_busy when it would wait too long.
   */
  async verify(
    hashed: string | null | undefined,
    password: string,
    { isAdmitted = false } = {},
  ): Promise<Verification> {
    if (!isAdmitted) this.#pool.requireCapacity();
    const outdated = this.#isOutdated(hashed);
    const match = hashed === null || hashed === undefined ? noMatch : await this.#match(hashed, password);
    if (match.matches) return { matches: true, outdated };
    // The dummy's own password is random, but a match with it would still be no login.
    if (outdated || match.unreadable !== undefined) await this.#match(await this.#dummy(), password);
    return { ...match, outdated: false };
  }

  /** Ends the threads; jobs not yet begun are refused. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  #match(hashed: string, password: string): Promise<Match> {
    const normal = password.normalize('NFC');
    // Others hash what was typed; ours is always of the normal form.
    const spellings = normal === password || ownPattern.test(hashed) ? [normal] : [normal, password];
    return this.#pool.run<Match>({ kind: 'verify', spellings, hashed });
  }

  #isOutdated(hashed: string | null | undefined): boolean {
    const found = ownPattern.exec(hashed ?? '');
    if (found === null) return true;
    return Number(found[1]) < this.#cost.memoryKib || Number(found[2]) < this.#cost.passes;
  }

  async #dummy(): Promise<string> {
    this.#dummyHash ??= this.#hash(crypto.randomUUID()).catch((error: unknown) => {
      this.#dummyHash = undefined; // the next caller tries again
      throw error;
    });
    return this.#dummyHash;
  }
}

let shared: Hasher | undefined;

/** Hashes a password with the defaults, as `Auth` does: salted, slow, argon2id. */
export function hashPassword(password: string): Promise<string> {
  if (password === '') throw new Problem('invalid_request', { message: 'The password is empty' });
  shared ??= new Hasher();
  return shared.hash(password);
}
