// Which password may be set. Asked wherever one is set, and never at login: an old password stays usable.
import { fieldProblem } from '../../kit/problem.ts';

/** What is known about the person whose password it will be. */
export interface PasswordContext {
  readonly email: string;
  /** Name of the field that it came in, for the refusal. */
  readonly field: 'password' | 'new_password';
}

/**
 * Decides whether a password may be set. Not asked at login: an old password stays usable.
 * @throws {Problem} invalid_request with a reason that a person understands.
 */
export type PasswordRule = (password: string, context: PasswordContext) => Promise<void>;

/**
 * Code points of the longest password, which are 1,024 bytes at most: room for a passphrase, no room for a flood (NIST
 * SP 800-63B-4 §3.1.1.2).
 */
export const longestPassword = { codePoints: 256 };

/** Knows passwords that may not be set: Blocklist, BreachCheck. */
export interface PasswordCheck {
  readonly finds: 'guessable' | 'breached';
  /** Why the password may not be set, as a person understands it; `undefined` when nothing is against it. */
  reasonAgainst(password: string, email: string): Promise<string | undefined>;
}

export interface PasswordRuleOptions {
  /** Code points of the shortest password. */
  readonly minLength: number;
  /** Asked one after the other about what has the right length; the first reason is told. */
  readonly checks?: readonly PasswordCheck[];
}

/**
 * The rule of these options. Length and characters are counted in normal form C, as the hash takes them; no composition
 * is asked for (NIST SP 800-63B-4 §3.1.1.2).
 */
export function passwordRule({ minLength, checks = [] }: PasswordRuleOptions): PasswordRule {
  return async (typed, { email, field }) => {
    if (typed === '') throw fieldProblem(field, 'is empty', 'empty');
    // NUL ends a string in some hashes, half a surrogate pair becomes another character in UTF-8, and U+FFFD is what
    // broken bytes were read as: two passwords would be one.
    if (/[\0\uFFFD]/.test(typed) || !typed.isWellFormed())
      throw fieldProblem(field, 'contains an invalid character', 'no_text');
    const password = typed.normalize('NFC');
    const length = Array.from(password).length;
    if (length > longestPassword.codePoints) {
      throw fieldProblem(field, `is longer than ${longestPassword.codePoints} characters`, 'too_long');
    }
    if (length < minLength) {
      throw fieldProblem(
        field,
        `is shorter than ${minLength} characters; a few words together are long enough and easy to remember`,
        'too_short',
      );
    }
    for (const check of checks) {
      const reason = await check.reasonAgainst(password, email);
      if (reason !== undefined) throw fieldProblem(field, reason, check.finds);
    }
  };
}

/** Local mode: any password that is not empty, up to the longest. */
export const anyPassword: PasswordRule = passwordRule({ minLength: 1 });
