// Rate-limits authentication attempts per subject and factor. Call `begin()` before verifying and `succeed()`
// afterwards; an attempt without `succeed()` counts as failed.
//
// The name of a subject never changes: what proves access to an address (password, mailed code) is counted by the
// address, whether it has an account or not, and a second factor by the id of its account. So no registration, change
// of address or removal has to move a counter, and none starts or ends a waiting time, which would reveal it.
import { type Clock, dayMs, secondMs } from '../../kit/clock.ts';
import { Problem } from '../../kit/problem.ts';
import { digest } from '../../kit/secret.ts';
import type { Database } from '../../db/database.ts';
import {
  addAttempt,
  noteAttempt,
  findAttempts,
  listAttemptsOf,
  maxAttempts,
  removeAttempts,
  removeAttemptsOf,
  removeAttempt,
  removeOldAttempts,
  type AttemptKey,
  type AttemptCount,
} from './store.ts';
import './problem.ts';

/**
 * Name of a factor: `password`, `email_code`, or a second factor's. Each has its own counter, so that one that is
 * blocked leaves the others usable.
 */
export type Factor = string;

/** Whose attempts are counted, and a known device of the account. */
export type Subject = AddressOrAccount & {
  /** It has a counter of its own, so that an attacker's failures do not lock the owner out. */
  readonly deviceId?: string | undefined;
};

/** An address in its normal form, for factors that can be attempted on any address; otherwise an account. */
type AddressOrAccount = { readonly emailKey: string } | { readonly userId: number };

/** An attempt that was counted. */
export interface Attempt {
  readonly key: AttemptKey;
  /** Consecutive attempts, including this one. */
  readonly count: number;
}

/** Days without an attempt after which a counter is removed: a hundred guesses a month are too slow for an attack. */
const keptDays = 30;
/**
 * The same for a counter below the first wait, of a factor that can be attempted on any address: four guesses a day are
 * too slow as well. Most counters of addresses without an account are of that kind, so a flood of them soon disappears.
 */
const freeKeptDays = 1;

/** Counts and limits attempts. */
export class Attempts {
  readonly name = 'attempts';
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(db: Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /**
   * Counts an attempt before it is verified. From the fifth consecutive one on, each must wait longer; after a hundred,
   * the factor is blocked until it is replaced (NIST SP 800-63B-4 §3.2.2).
   * @param tx A transaction that also records how the attempt ends. Without one, the count is written immediately, and its
   *   caller does not wait for the disk.
   * @throws {Problem} too_many_attempts; the attempt must not be verified and is not counted.
   */
  async begin(subject: Subject, factor: Factor, tx?: Database): Promise<Attempt> {
    const key = { subject: subjectText(subject), factor };
    const now = this.#clock();
    const count = await (tx === undefined ? noteAttempt(this.#db, key, now) : addAttempt(tx, key, now));
    if (count !== undefined) return { key, count };
    const counter = await findAttempts(tx ?? this.#db, key);
    const waitMs =
      counter === undefined || counter.failures >= maxAttempts ? undefined : counter.next_at - now;
    throw new Problem(
      'too_many_attempts',
      waitMs === undefined ? {} : { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / secondMs)) },
    );
  }

  /** Resets the counter after a successful attempt. Inside the transaction that uses the result. */
  async succeed(tx: Database, { key }: Attempt): Promise<void> {
    await removeAttempts(tx, key);
  }

  /** Uncounts an attempt that was not verified because the service was too busy. */
  async withdraw({ key }: Attempt): Promise<void> {
    await removeAttempt(this.#db, key, this.#clock());
  }

  /** Resets the counter of a factor that was replaced. Inside a transaction. */
  async forget(tx: Database, subject: AddressOrAccount, factor: Factor): Promise<void> {
    await removeAttempts(tx, { subject: subjectText(subject), factor });
  }

  /**
   * Removes the counters of an account that is removed. Those of its address stay until they expire: a waiting time that
   * ends with the account would reveal that there was one. Inside a transaction.
   */
  async forgetAll(tx: Database, userId: number): Promise<void> {
    await removeAttemptsOf(tx, subjectText({ userId }));
  }

  /** Removes the counters without a recent attempt of up to `limit` subjects and returns how many. */
  async purge(limit: number): Promise<number> {
    const before = (days: number): number => this.#clock() - days * dayMs;
    const free = await removeOldAttempts(this.#db, 'free', { before: before(freeKeptDays), limit });
    const left = Math.max(0, limit - free);
    return free + (await removeOldAttempts(this.#db, 'all', { before: before(keptDays), limit: left }));
  }

  /** Resets the counters of an account, its address and its known devices; returns how many. Inside a transaction. */
  async resetAll(
    tx: Database,
    userId: number,
    emailKey: string,
    deviceIds: readonly string[],
  ): Promise<number> {
    let count = 0;
    for (const subject of subjectsOf(userId, emailKey, deviceIds))
      count += await removeAttemptsOf(tx, subject);
    return count;
  }

  /** Lists the counters of an account, its address and its known devices. */
  list(userId: number, emailKey: string, deviceIds: readonly string[]): Promise<AttemptCount[]> {
    return listAttemptsOf(this.#db, subjectsOf(userId, emailKey, deviceIds));
  }
}

function subjectsOf(userId: number, emailKey: string, deviceIds: readonly string[]): string[] {
  return [subjectText({ userId }), subjectText({ emailKey }), ...deviceIds.map(subjectOfDevice)];
}

function subjectText(subject: Subject): string {
  if (subject.deviceId !== undefined) return subjectOfDevice(subject.deviceId);
  if ('userId' in subject) return `user:${subject.userId}`;
  return subjectOfAddress(subject.emailKey);
}

/** Returns the subject of an address: a digest, because people type passwords into fields for addresses. */
export function subjectOfAddress(emailKey: string): string {
  return `email:${Buffer.from(digest(emailKey)).toString('base64url')}`;
}

function subjectOfDevice(deviceId: string): string {
  return `device:${deviceId}`;
}
