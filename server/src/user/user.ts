/** An account, as the rules and the library's callers see it. */
export interface User {
  /** Ascending: the first user is 1. */
  readonly id: number;
  /** As its owner typed it at registration. */
  readonly email: string;
  /** PHC string or a foreign hash; null for an account without a password. */
  readonly hashedPassword: string | null;
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** Unix milliseconds of the last new password. */
  readonly passwordChangedAt: number;
  /** Unix milliseconds of the last proof that mail to the address reaches its owner; null if there was none. */
  readonly emailVerifiedAt: number | null;
  /** Unix milliseconds since when no door opens for the user; null for everybody else. */
  readonly disabledAt: number | null;
  /** Unix milliseconds at which the account is removed, since its owner closed it; null for everybody else. */
  readonly deleteAt: number | null;
  /** What the person reads: a language tag. */
  readonly language: string | null;
}

/**
 * An id that no user has. A statement for nobody runs as for anybody and writes nothing: where it must not show in the
 * time whether an address has an account, the same statements run for every address (OWASP ASVS 5.0 §6.3.8).
 */
export const noUserId = 0;

/** No user has all of the given attributes. */
export class NoResultFound extends Error {
  override readonly name = 'NoResultFound';
}

/** A filter has no meaning: an unknown name, or none at all. */
export class InvalidRequest extends Error {
  override readonly name = 'InvalidRequest';
}

/** A value that cannot be taken: an unknown field, or one that may not hold it. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
}
