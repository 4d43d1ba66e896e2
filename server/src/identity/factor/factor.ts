// Interfaces of factors: the second factors that features contribute, and the changes that Enrollment carries out.
import type { Database } from '../../db/database.ts';
import type { User } from '../../user/user.ts';
import type { ClientSource } from '../context.ts';
import type { Events } from '../event.ts';
import type { FactorType, FactorUse } from './factor-use.ts';

/** A factor that was verified just now. */
export type GivenFactor = Omit<FactorUse, 'at'>;

/** The requirement of a sign-in after the first factor. */
export interface Requirement {
  /** `second_factor`: to give an enrolled factor; `enrollment`: to enroll one. */
  readonly kind: 'second_factor' | 'enrollment';
  /** Names of the accepted factors. */
  readonly factors: readonly string[];
}

/** Purpose to which an authenticator output is bound, with its sign-in or session. It is not accepted for another. */
export interface FactorPurpose {
  readonly purpose: 'second_factor' | 'step_up';
  /** Handle of the pending authentication or of the session. */
  readonly subjectId: string;
}

/**
 * Consumes an authenticator output once and atomically; returns false if it was already consumed. Inside a transaction.
 */
export type Consume = (tx: Database) => Promise<boolean>;

/** A right authenticator output. */
export interface VerifiedOutput {
  readonly consume: Consume;
  /** True if it proved two types of factor: the authenticator also verified its user. */
  readonly isMultiFactor?: boolean;
}

/** A use of a factor, for `notifyUse`. */
export interface FactorUsed {
  readonly user: User;
  readonly source: ClientSource;
  readonly events: Events;
}

/**
 * What is stored about one kind of second factor. The module declares it, so that it is removed, exported and counted
 * whether the options offer the factor or not.
 */
export interface StoredFactor {
  /** Stable name, on the wire and in counters. */
  readonly name: string;
  /** True if it only replaces another second factor: a user with only this one signs in without a second factor. */
  readonly isBackup: boolean;
  readonly type: FactorType;
  /** Its authentication method references (RFC 8176 §2), without `mfa`. */
  readonly amr: readonly string[];
  /** Returns true if the user has enrolled it. */
  isEnrolled(db: Database, userId: number): Promise<boolean>;
  /** Returns what is stored about the user, for the copy of their data: no seed, key or digest. */
  exportOf(db: Database, userId: number): Promise<object>;
  /** Removes the user's authenticators, or only those added since an instant. Inside a transaction. */
  removeAll(tx: Database, userId: number, since?: number): Promise<void>;
  /** Removes up to `limit` rows that have expired and returns how many; absent if rows do not expire. */
  purge?(db: Database, now: number, limit: number): Promise<number>;
}

/** One kind of second factor as sign-in accepts it; a feature contributes it. */
export interface SecondFactor extends StoredFactor {
  /** Returns true if the user can sign in with it alone; absent if that is never possible. */
  isWayIn?(db: Database, userId: number): Promise<boolean>;
  /** Verifies an authenticator output; `undefined` if it is wrong. Writes nothing; the caller counts the attempt. */
  check(user: User, output: string, purpose: FactorPurpose): Promise<VerifiedOutput | undefined>;
  /**
   * Adds the authenticator of a registration, given as the text that the feature passed to `Accounts.signUp`; false if
   * another account has it. Absent if a factor cannot be registered. Inside a transaction that has locked the user.
   */
  attachRegistered?(tx: Database, userId: number, credential: string): Promise<boolean>;
  /** Mails each use to the owner; absent if uses are not mailed. Inside the transaction of the use. */
  notifyUse?(tx: Database, used: FactorUsed): Promise<void>;
}

/** An addition of a factor, which Enrollment carries out. */
export interface FactorAddition<T> {
  /** Name of the factor. */
  readonly factor: string;
  /** The change itself, in the transaction. The user's row is locked. */
  readonly work: (tx: Database, user: User) => Promise<T>;
}

/** A removal or replacement of a factor. */
export interface FactorChange<T> extends FactorAddition<T> {
  readonly action: 'removed' | 'replaced';
}

/**
 * Whether sign-in requires a second factor: `off` never, `optional` of users who have enrolled one, `required` always.
 */
export type SecondFactorPolicy = 'off' | 'optional' | 'required';
