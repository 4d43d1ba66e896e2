// Factors: how a user authenticated, and when. A session stores which were given.
import type { Database } from '../../db/database.ts';
import type { User } from '../../user/user.ts';
import type { ClientSource } from '../context.ts';
import type { Events } from '../event.ts';

/** A factor that was given for a session. */
export interface FactorUse {
  /** `password`, `email`, or the name of a second factor. */
  readonly factor: string;
  /** Unix milliseconds. */
  readonly at: number;
}

/** The factor with which a sign-in begins. */
export type FirstFactor = 'password' | 'email' | 'passkey';

/** Purpose of an authenticator output, and the sign-in or session for which it is given: it is not accepted in another. */
export interface Occasion {
  readonly purpose: 'second_factor' | 'step_up';
  /** Handle of the pending authentication or of the session. */
  readonly subjectId: string;
}

/** Consumes what was verified, once and atomically; false if it was consumed already. Inside a transaction. */
export type Consume = (tx: Database) => Promise<boolean>;

/** Who used a factor, from where, and what sends the mail about it. */
export interface FactorUsed {
  readonly user: User;
  readonly source: ClientSource;
  readonly events: Events;
}

/** One kind of second factor; a feature contributes it. */
export interface SecondFactor {
  /** Stable name, on the wire and in counters. */
  readonly name: string;
  /** It only replaces another second factor: alone it does not make sign-in require one. */
  readonly isBackup: boolean;
  /** Its authentication method references (RFC 8176 §2); with `mfa` if it is several factors by itself. */
  readonly amr: readonly string[];
  /** True if the user has set it up. */
  isSet(db: Database, userId: number): Promise<boolean>;
  /** True if the user can sign in with it alone; absent if that is never possible. */
  isWayIn?(db: Database, userId: number): Promise<boolean>;
  /** Verifies an authenticator output and returns what consumes it; `undefined` if it is wrong. Changes nothing itself; the attempt is counted already. */
  check(user: User, proof: string, occasion: Occasion): Promise<Consume | undefined>;
  /** Mails each use to the owner; absent where no use is mailed. Inside its transaction. */
  tellUse?(tx: Database, used: FactorUsed): Promise<void>;
  /** What is stored about the user, for the copy of their data: no seed, key or digest. */
  exportOf(db: Database, userId: number): Promise<object>;
  /** Removes what the user has set up, or only what was set up since an instant. Inside a transaction. */
  removeAll(tx: Database, userId: number, since?: number): Promise<void>;
  /** Removes up to `limit` expired rows and returns how many; absent if rows do not expire. */
  purge?(db: Database, limit: number): Promise<number>;
}

/** Whether sign-in requires a second factor: never, of users who have set one up, or always. */
export type SecondFactorPolicy = 'off' | 'optional' | 'required';

/** The factors of a stored session. */
export function parseFactors(text: string): FactorUse[] {
  return JSON.parse(text) as FactorUse[]; // written by formatFactors
}

export function formatFactors(uses: readonly FactorUse[]): string {
  return JSON.stringify(uses);
}

/** Adds a use; of each factor the latest stays. */
export function withFactor(uses: readonly FactorUse[], use: FactorUse): FactorUse[] {
  return [...uses.filter(({ factor }) => factor !== use.factor), use];
}
