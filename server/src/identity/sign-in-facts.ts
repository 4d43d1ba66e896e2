// The facts that `explainSignIn` takes, and the findings that it returns.
import type { Denial } from './contribution.ts';

/** A counter of attempts that fail. */
interface CountedFactor {
  /** `password`, `email_code`, `registration`, or the name of a second factor. */
  readonly factor: string;
  /** Counted on a known device, separately from attempts elsewhere. */
  readonly isOnKnownDevice: boolean;
  readonly failures: number;
  /** Unix milliseconds from which on the next attempt is allowed. */
  readonly nextAt: number;
}

/** An email of the last days. */
export interface StoredMail {
  readonly id: string;
  readonly kind: string;
  readonly state: 'sent' | 'waiting' | 'given_up';
  readonly createdAt: number;
  /** Unix milliseconds of the next attempt to send it. */
  readonly nextAt: number;
  /** Error of the last attempt. */
  readonly error: string | null;
}

/** What decides a sign-in of an account. Times are Unix milliseconds. */
export interface AccountFacts {
  readonly emailVerifiedAt: number | null;
  readonly disabledAt: number | null;
  readonly deleteAt: number | null;
  /** When the account is removed unless its address is confirmed; null if it stays. */
  readonly provisionalUntil: number | null;
  /** Registrations that wait for the confirmation of the address. */
  readonly registrations: number;
  /** `imported`: of another product or an older setting, replaced at the next login. */
  readonly password: 'none' | 'current' | 'imported' | 'unreadable';
  /** Why the hash cannot be verified. */
  readonly hashFault: string | undefined;
  /** A second factor opens the account without a password, such as a security key. */
  readonly hasFactorAsWayIn: boolean;
  /** Second factors of which a sign-in requires one. */
  readonly required: readonly string[];
  /** Second factors that the user has, also those that the options do not offer. */
  readonly stored: readonly string[];
  /** If a second factor is required and the user has none: those that can be added at the sign-in. */
  readonly enrollable: readonly string[] | undefined;
  readonly mails: readonly StoredMail[];
}

export interface SignInFacts {
  readonly now: number;
  readonly email: string;
  /** `undefined` if no user has the address. */
  readonly account: AccountFacts | undefined;
  readonly counters: readonly CountedFactor[];
  /** An address must be confirmed before the first session. */
  readonly emailConfirmation: boolean;
  /** Anyone may register. */
  readonly isSignUpOpen: boolean;
  /** A feature lets the user sign in without a password or second factor, such as by email. */
  readonly hasOtherWayIn: boolean;
  /** What features deny to the user. */
  readonly denials?: readonly Denial[];
}

/** Names of the findings; they do not change. */
export type FindingCode =
  | 'unknown_address'
  | 'closing'
  | 'disabled'
  | 'unconfirmed'
  | 'registrations_pending'
  | 'no_way_in'
  | 'no_password'
  | 'hash_unreadable'
  | 'hash_imported'
  | 'locked'
  | 'paused'
  | 'second_factor_required'
  | 'second_factors_locked'
  | 'second_factor_missing'
  | 'second_factor_not_offered'
  | 'mail_given_up'
  | 'mail_waiting'
  | 'no_access'
  | 'nothing_stored'
  | 'request_refused';

/**
 * What a finding prevents: every sign-in, the sign-in with the password, or the second step; `part` is one factor, an
 * email or an application; `nothing`: it is said for completeness.
 */
type Hindrance = 'sign_in' | 'password' | 'second_factor' | 'part' | 'nothing';

export interface Finding {
  readonly code: FindingCode;
  readonly hinders: Hindrance;
  /** What it means, as a sentence. */
  readonly means: string;
  /** What to do, as a sentence. */
  readonly remedy: string;
}
