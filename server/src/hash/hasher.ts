// Hashes and verifies passwords on separate threads, and rejects jobs that would wait too long. Callers see one class;
// threads and queue are internal.
import { availableParallelism, constants } from 'node:os';
import { Problem } from '../kit/problem.ts';
import { secondMs } from '../kit/clock.ts';
import { maxPasswordUnits } from '../kit/text/text-length.ts';
import { HashPool } from './hash-pool.ts';
import { defaultHashCost, requireHasherOptions, type HashCost, type HasherOptions } from './options.ts';
import type { Match } from './hash-worker.ts';
import type { PasswordMatch } from './stored-hash.ts';

export type { HashCost, HasherOptions, PasswordMatch };

const noMatch: Match = { matches: false };
/** Format of the hashes that this service writes. PHP, Go and others write it as well. */
const ownPattern = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$/;

/**
 * Hashes passwords with argon2id, and verifies these hashes and those of other products (`isKnownHash`). Its threads
 * run until `close`.
 */
export class Hasher {
  readonly #cost: HashCost;
  readonly #pool: HashPool;
  #dummyHash: Promise<string> | undefined;

  /**
   * @throws {TypeError} if an option is unknown or of another type.
   * @throws {RangeError} if a number is out of its range.
   */
  constructor(options: HasherOptions = {}) {
    requireHasherOptions(options);
    const {
      cost = defaultHashCost,
      threads = availableParallelism(),
      maxWaitMs = 2 * secondMs,
      maxTotalMs = 6 * secondMs,
      niceness = constants.priority.PRIORITY_LOW,
    } = options;
    this.#cost = cost;
    this.#pool = new HashPool({ threads, maxWaitMs, maxTotalMs, niceness });
  }

  /** Starts the first thread, so that the first login need not wait for it. */
  async warm(): Promise<void> {
    await this.#dummy();
  }

  /**
   * Returns a salted argon2id hash as a PHC string. The password is normalized to form C, so that accents typed on
   * different keyboards are equal (NIST SP 800-63B-4 §3.1.1.2), and never truncated.
   * With a salt, the hash of a password is always the same; otherwise the salt is random.
   * @throws {Problem} too_busy if it would wait too long.
   */
  async hash(password: string, { salt }: { readonly salt?: Uint8Array } = {}): Promise<string> {
    this.#pool.requireCapacity();
    return this.#hash(password, salt);
  }

  /**
   * Checks whether a verification would finish in time. Call it before an action that must precede the verification but
   * should not happen without it, such as counting an attempt. Then pass `isAdmitted` to `verify`.
   * @throws {Problem} too_busy if it would wait too long.
   */
  requireCapacity(): void {
    this.#pool.requireCapacity();
  }

  #hash(password: string, salt?: Uint8Array): Promise<string> {
    return this.#pool.run<string>({ kind: 'hash', password: normalForm(password), salt, ...this.#cost });
  }

  /**
   * Compares a password with a stored hash in any format of format.ts. Without a hash (an unknown user) it runs a
   * verification of the same cost, so that the time does not reveal whether an account exists (OWASP ASVS 5.0 §6.3.8).
   * It does the same after a mismatch with an outdated hash, which may be faster; after a match the caller hashes the
   * password again. An empty password never matches. Only a hash with a higher cost than the current one is still
   * recognizable by its time.
   * @throws {Problem} too_busy if it would wait too long.
   */
  async verify(
    hashed: string | null | undefined,
    password: string,
    { isAdmitted = false } = {},
  ): Promise<PasswordMatch> {
    if (!isAdmitted) this.#pool.requireCapacity();
    const outdated = this.isOutdated(hashed);
    const { isAsTyped, ...match } =
      hashed === null || hashed === undefined ? noMatch : await this.#match(hashed, password);
    if (match.matches) return { matches: true, outdated: outdated || isAsTyped === true };
    // The result is ignored: a match with the random password of the dummy hash is not a login.
    if (outdated || match.unreadable !== undefined) await this.#match(await this.#dummy(), password);
    return { ...match, outdated: false };
  }

  /** Stops the threads and rejects waiting jobs. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  #match(hashed: string, password: string): Promise<Match> {
    const normal = normalForm(password);
    // Other products hash the password as typed; this service always hashes the normal form. No hash shows which one
    // wrote it.
    const spellings = normal === password ? [normal] : [normal, password];
    return this.#pool.run<Match>({ kind: 'verify', spellings, hashed });
  }

  /** Returns whether a hash has another algorithm or a lower cost than the current one. */
  isOutdated(hashed: string | null | undefined): boolean {
    const found = ownPattern.exec(hashed ?? '');
    if (found === null) return true;
    return Number(found[1]) < this.#cost.memoryKib || Number(found[2]) < this.#cost.passes;
  }

  async #dummy(): Promise<string> {
    this.#dummyHash ??= this.#hash(crypto.randomUUID()).catch((error: unknown) => {
      this.#dummyHash = undefined; // the next caller retries
      throw error;
    });
    return this.#dummyHash;
  }
}

/**
 * Returns a password in normal form C; as it is if it is longer than any password that the rule accepts, because
 * normalizing a long text can block the thread for a tenth of a second.
 */
function normalForm(password: string): string {
  return password.length > maxPasswordUnits ? password : password.normalize('NFC');
}

let shared: Hasher | undefined;

/**
 * Returns a salted argon2id hash of a password with the default cost, as `Auth` does.
 * @throws {Problem} invalid_request if the password is empty or not a string.
 * @throws {Problem} too_busy if it would wait too long.
 */
export async function hashPassword(password: string): Promise<string> {
  if (typeof password !== 'string')
    throw new Problem('invalid_request', { message: 'The password must be a text' });
  if (password === '') throw new Problem('invalid_request', { message: 'The password is empty' });
  shared ??= new Hasher();
  return shared.hash(password);
}
