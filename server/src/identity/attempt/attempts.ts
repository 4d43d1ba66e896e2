// How often a factor may be tried: the one mechanism for every door. A door begins a try before it verifies anything,
// and tells of success; what it does not tell of has failed.
import type { Clock } from '../../kit/clock.ts';
import { dayMs, secondMs } from '../../kit/clock.ts';
import { Problem } from '../../kit/problem.ts';
import { digest } from '../../kit/secret.ts';
import type { Database } from '../../db/database.ts';
import {
  addAttempt,
  findAttempts,
  listAttemptsOf,
  maxAttempts,
  moveAttempts,
  removeAttempts,
  removeAttemptsOf,
  removeAttempt,
  removeOldAttempts,
  type AttemptKey,
  type AttemptCount,
} from './store.ts';

/** Name of a factor: `password`, `email_code`, or a second factor's. Tries of each are counted apart: one that is off leaves the others unharmed. */
export type Factor = string;

/** Whose tries are counted. */
export interface Subject {
  /** The account; undefined for an address that nobody has, which is counted all the same. */
  readonly userId: number | undefined;
  /** Normal form of the address that was given. */
  readonly emailKey: string;
  /** A device on which the account was signed in before. It has a counter of its own, so that a stranger's failures do not lock the owner out. */
  readonly deviceId: string | undefined;
}

/** A try that was counted. */
export interface Attempt {
  readonly key: AttemptKey;
  /** Consecutive tries with this one. */
  readonly count: number;
}

/** Days without an attempt after which a counter is removed. One guess a month is no attack. */
const keptDays = 30;

export class Attempts {
  readonly name = 'attempts';
  readonly #db: Database;
  readonly #clock: Clock;

  constructor(db: Database, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /**
   * Counts a try before it is verified. From the fifth consecutive one on each must wait, longer every time; at a
   * hundred the factor is off until it is replaced (NIST SP 800-63B-4 §3.2.2).
   * @throws {Problem} too_many_attempts; the try is then neither verified nor counted.
   */
  async begin(subject: Subject, factor: Factor): Promise<Attempt> {
    const key = { subject: subjectText(subject), factor };
    const now = this.#clock();
    const count = await addAttempt(this.#db, key, now);
    if (count !== undefined) return { key, count };
    const tries = await findAttempts(this.#db, key);
    const waitMs = tries === undefined || tries.failures >= maxAttempts ? undefined : tries.next_at - now;
    throw new Problem(
      'too_many_attempts',
      waitMs === undefined ? {} : { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / secondMs)) },
    );
  }

  /** The try was right: forgets the ones before it. Inside the transaction of what it opens. */
  async succeed(tx: Database, { key }: Attempt): Promise<void> {
    await removeAttempts(tx, key);
  }

  /** The try was not verified after all: the service was too busy, and nobody has guessed anything. */
  async withdraw({ key }: Attempt): Promise<void> {
    await removeAttempt(this.#db, key, this.#clock());
  }

  /**
   * Somebody registered an address: the tries on it that were counted before are the new account's. Otherwise a waiting
   * time that ends with a registration would tell that the address was free.
   */
  async inherit(tx: Database, userId: number, emailKey: string): Promise<void> {
    await moveAttempts(tx, subjectOfEmail(emailKey), subjectOfUser(userId));
  }

  /** The factor was replaced: its tries no longer count against the account. */
  async forget(tx: Database, userId: number, factor: Factor): Promise<void> {
    await removeAttempts(tx, { subject: subjectOfUser(userId), factor });
  }

  /** The account is removed: nothing is counted against it any more. Inside a transaction. */
  async forgetAll(tx: Database, userId: number): Promise<void> {
    await removeAttemptsOf(tx, subjectOfUser(userId));
  }

  /** Removes up to `limit` counters without a recent attempt and returns how many. */
  purge(limit: number): Promise<number> {
    return removeOldAttempts(this.#db, this.#clock() - keptDays * dayMs, limit);
  }

  /** What is counted against an account and its known devices. */
  list(userId: number, deviceIds: readonly string[]): Promise<AttemptCount[]> {
    return listAttemptsOf(this.#db, [subjectOfUser(userId), ...deviceIds.map(subjectOfDevice)]);
  }
}

function subjectText({ userId, emailKey, deviceId }: Subject): string {
  if (deviceId !== undefined) return subjectOfDevice(deviceId);
  return userId === undefined ? subjectOfEmail(emailKey) : subjectOfUser(userId);
}

function subjectOfDevice(deviceId: string): string {
  return `device:${deviceId}`;
}

function subjectOfUser(userId: number): string {
  return `user:${userId}`;
}

function subjectOfEmail(emailKey: string): string {
  return `email:${Buffer.from(digest(emailKey)).toString('base64url')}`;
}
