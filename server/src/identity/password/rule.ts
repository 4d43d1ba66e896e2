// Decides whether a password may be set. Runs whenever one is set, never at login: an older password stays usable.
import { maxPasswordLength, maxPasswordUnits } from '../../kit/text/text-length.ts';
import { fieldProblem, type Problem } from '../../kit/problem.ts';
import type { PasswordCheck, PasswordRule } from '../../user/password-rule.ts';

export interface PasswordRuleOptions {
  /** Code points of the shortest password. */
  readonly minLength: number;
  /** Checks that run in this order on a password of the right length, until one returns a reason. Read at each call. */
  readonly checks?: readonly PasswordCheck[];
}

/**
 * Maximum length in compatibility form (NFKC), in which the checks compare: one code point can become eighteen (U+FDFA),
 * and the work of the checks grows with the length. No text that people write grows fourfold.
 */
const maxFoldedLength = 4 * maxPasswordLength;

/**
 * Creates the rule of these options. Length and characters are counted in normal form C, as the hash takes them; there
 * is no rule for the composition (NIST SP 800-63B-4 §3.1.1.2).
 */
export function passwordRule({ minLength, checks = [] }: PasswordRuleOptions): PasswordRule {
  return async (typed, { email, field }) => {
    if (typed === '') throw fieldProblem(field, 'is empty', 'empty');
    // NUL ends a string in some hashes, half a surrogate pair becomes another character in UTF-8, and broken bytes are
    // read as U+FFFD: two passwords would be equal.
    if (/[\0\uFFFD]/.test(typed) || !typed.isWellFormed())
      throw fieldProblem(field, 'contains an invalid character', 'no_text');
    const tooLong = (): Problem =>
      fieldProblem(field, `is longer than ${maxPasswordLength} characters`, 'too_long');
    if (typed.length > maxPasswordUnits) throw tooLong();
    const password = typed.normalize('NFC');
    const length = Array.from(password).length;
    if (length > maxPasswordLength || password.normalize('NFKC').length > maxFoldedLength) throw tooLong();
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

/** The rule of local mode: any non-empty password up to the maximum length. */
export const anyPassword: PasswordRule = passwordRule({ minLength: 1 });
