import { Problem } from '../../kit/problem.ts';
import { ValueError } from '../../user/user.ts';
import './problem.ts';

/** What a registration tells, and what it asks for: options of the service. */
export interface RegistrationPolicy {
  /** A taken address is reported; otherwise the reply is that of a new one. */
  readonly revealAccounts: boolean;
  /** No session before the address is confirmed by a mailed token. */
  readonly emailConfirmation: boolean;
}

/**
 * Registers. A taken address looks like a new one where the policy hides accounts.
 * @throws {Problem} email_taken where it does not.
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
