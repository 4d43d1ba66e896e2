// Declares the rule that decides whether a password may be set. identity/password/rule.ts implements it; checks come from
// there and from features.

/** The account for which a password is set. */
export interface PasswordContext {
  readonly email: string;
  /** Name of the field that the password came in; the problem names it. */
  readonly field: 'password' | 'new_password';
}

/**
 * Decides whether a password may be set. Login does not apply it: an older password stays usable.
 * @throws {Problem} invalid_request with a reason for the user if the password is rejected.
 */
export type PasswordRule = (password: string, context: PasswordContext) => Promise<void>;

/** Rejects passwords that are easy to guess or known to attackers. */
export interface PasswordCheck {
  readonly finds: 'guessable' | 'breached';
  /** Returns why the password may not be set, in words for the user; `undefined` if nothing was found. */
  reasonAgainst(password: string, email: string): Promise<string | undefined>;
}
