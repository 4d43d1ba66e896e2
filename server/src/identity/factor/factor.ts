// Factors: how a person proved to be the user. What a session is worth follows from which were given, and when.
import type { Database } from '../../db/database.ts';
import type { MailFacts } from '../../mail/text.ts';
import type { User } from '../../user/user.ts';

/** A factor that was given for a session. */
export interface FactorUse {
  /** `password`, `email`, or the name of a second factor. */
  readonly factor: string;
  /** Unix milliseconds. */
  readonly at: number;
}

/** How a session is begun. */
export type FirstFactor = 'password' | 'email' | 'passkey';

/** What a proof is given for, and in which login or session: it is worth nothing in another. */
export interface Occasion {
  readonly purpose: 'second_factor' | 'step_up';
  /** Handle of the pending login or of the session. */
  readonly subjectId: string;
}

/** Spends what was verified, once and atomically; false when it was spent meanwhile. Inside a transaction. */
export type Consume = (tx: Database) => Promise<boolean>;

/** A mail about the use of a factor. */
export interface UseNotice {
  readonly kind: 'recovery_code_used';
  readonly facts: MailFacts['recovery_code_used'];
}

/** One kind of second factor, as its room plugs it in. */
export interface SecondFactor {
  /** Stable name, on the wire and in counters. */
  readonly name: string;
  /** It replaces another one in need: by itself it asks nobody for a second factor. */
  readonly isBackup: boolean;
  /** Its authentication method references (RFC 8176 §2); with `mfa` if it is several factors by itself. */
  readonly amr: readonly string[];
  /** True if the user has set it up. */
  isSet(db: Database, userId: number): Promise<boolean>;
  /** True if the user can sign in with it alone; absent where nobody can. */
  isWayIn?(db: Database, userId: number): Promise<boolean>;
  /** What spends the proof, if it is right. Changes nothing by itself; the try is counted already. */
  check(user: User, proof: string, occasion: Occasion): Promise<Consume | undefined>;
  /** What the owner is told of each use, where that is told at all. Inside its transaction. */
  tellUse?(tx: Database, userId: number): Promise<UseNotice>;
  /** What is known of what the user has set up, as the user may have it: no seed, key or digest. */
  exportOf(db: Database, userId: number): Promise<object>;
  /** Removes what the user has set up since the instant: all of it, if none is given. Inside a transaction. */
  removeAll(tx: Database, userId: number, since?: number): Promise<void>;
  /** Removes up to `limit` rows that have expired, and says how many; absent where none do. */
  purge?(db: Database, limit: number): Promise<number>;
}

/** Whether second factors are asked for: never, of whoever has set one up, or of everybody. */
export type SecondFactorPolicy = 'off' | 'optional' | 'required';

/** The factors of a stored session. */
export function parseFactors(text: string): FactorUse[] {
  return JSON.parse(text) as FactorUse[]; // written by formatFactors
}

export function formatFactors(uses: readonly FactorUse[]): string {
  return JSON.stringify(uses);
}

/** The factors with one more: of each the latest use. */
export function withFactor(uses: readonly FactorUse[], use: FactorUse): FactorUse[] {
  return [...uses.filter(({ factor }) => factor !== use.factor), use];
}
