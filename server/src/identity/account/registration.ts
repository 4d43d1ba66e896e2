import { Problem } from '../../kit/problem.ts';
import { ValueError } from '../../user/user.ts';
import './problem.ts';

/** Options of registration. */
export interface RegistrationPolicy {
  /** Reports a taken address; if false, the reply is the same as for a new one. */
  readonly revealAccounts: boolean;
  /** No session before the address is confirmed by a mailed token. */
  readonly emailConfirmation: boolean;
}

/** Requires that anyone may register. @throws {Problem} sign_up_closed. */
export function requireSignUpOpen({ isSignUpOpen }: { readonly isSignUpOpen: boolean }): void {
  if (!isSignUpOpen) throw new Problem('sign_up_closed');
}

/**
 * Registers an account. If the policy does not reveal accounts, a taken address gets the same reply as a new one.
 * @throws {Problem} email_taken if the policy reveals accounts.
 */
export async function registerQuietly(
  { revealAccounts }: RegistrationPolicy,
  register: () => Promise<unknown>,
): Promise<void> {
  try {
    await register();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    if (revealAccounts) throw new Problem('email_taken');
  }
}
