// An account, and the errors of the class DB of the contract.

/** An account, as the services and the callers of the library see it. */
export interface User {
  /** Ascending: the first user is 1. */
  readonly id: number;
  /** As the user typed it. */
  readonly email: string;
  /** PHC string or a foreign hash; null for an account without a password. */
  readonly hashedPassword: string | null;
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** Unix milliseconds of the last new password. */
  readonly passwordChangedAt: number;
  /** Unix milliseconds of the last verification that the user receives mail at the address; null if unverified. */
  readonly emailVerifiedAt: number | null;
  /** Unix milliseconds since which the user cannot sign in; null if the user is enabled. */
  readonly disabledAt: number | null;
  /** Unix milliseconds at which a closed account is removed; null if the account is not closed. */
  readonly deleteAt: number | null;
  /**
   * Unix milliseconds at which the account is removed unless its address is confirmed before: only for an account of a
   * public sign-up that was made while confirmation was required. Null for every other account, and from the
   * confirmation or the first sign-in on.
   */
  readonly provisionalUntil: number | null;
  /** Unix milliseconds at which a session of the user was last created; null if never. */
  readonly lastSignInAt: number | null;
  /** Language tag of the user's pages and mails; null if unknown. */
  readonly language: string | null;
  /**
   * Opaque stable identifier for applications: unique, never reused, without meaning. Null for an account of an older
   * release until it is first asked for (`Details.subjectOf`).
   */
  readonly subject: string | null;
  /** Identifier that another system gave to the user; unique. Null without one. */
  readonly externalId: string | null;
  /** Name to show, chosen by the user. It is text, never markup. */
  readonly name: string | null;
  /** `https` URL of a picture, chosen by the user. The service does not load it. */
  readonly picture: string | null;
}

/**
 * An id that no user has. With this id a statement runs but writes nothing. Where response times must not reveal whether
 * an address has an account, the same statements run for every address (OWASP ASVS 5.0 §6.3.8).
 */
export const noUserId = 0;

/**
 * Returns true if the account is removed when another account gets its address: it was never confirmed or used. An account
 * that the operator has disabled is kept.
 */
export function isProvisional({ provisionalUntil, disabledAt }: User): boolean {
  return provisionalUntil !== null && disabledAt === null;
}

/** No user has all of the given attributes. */
export class NoResultFound extends Error {
  override readonly name = 'NoResultFound';
}

/** A filter is invalid: it has an unknown name, or is empty. */
export class InvalidRequest extends Error {
  override readonly name = 'InvalidRequest';
}

/** A value cannot be stored: the field is unknown, or does not accept the value. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}
