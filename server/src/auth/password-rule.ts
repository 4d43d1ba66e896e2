import { fieldProblem } from '../kit/problem.ts';

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

/** Code points and UTF-8 bytes of the longest password: room for a passphrase, no room for a flood (NIST SP 800-63B-4 §3.1.1.2). */
export const longestPassword = { codePoints: 256, bytes: 1024 };

/** Local mode: any password that is not empty, up to the longest. */
export const anyPassword: PasswordRule = async (password, { field }) => {
  if (password === '') throw fieldProblem(field, 'is empty');
  // NUL ends a string in some hashes, and half a surrogate pair becomes another character in UTF-8: two passwords
  // would be one.
  if (password.includes('\0') || !password.isWellFormed()) throw fieldProblem(field, 'holds a character that is no text');
  const tooLong = [...password].length > longestPassword.codePoints || Buffer.byteLength(password) > longestPassword.bytes;
  if (tooLong) throw fieldProblem(field, `is longer than ${longestPassword.codePoints} characters`);
};
