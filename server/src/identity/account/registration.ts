import { Problem } from '../../kit/problem.ts';
import type { EmailAddress } from '../../user/email-address.ts';
import { ValueError } from '../../user/user.ts';
import type { RegisteredAuthenticator } from '../registration/pending-registrations.ts';
import './problem.ts';

/** What a new account begins with: a password, or an authenticator that a factor has verified. */
export type ChosenAuthenticator =
  | { readonly password: string }
  | { readonly factor: string; readonly credential: string };

/** A registration: the address, its authenticator, and whether anyone may make it. */
export interface NewAccount {
  readonly address: EmailAddress;
  readonly authenticator: RegisteredAuthenticator;
  /** Made by any client, not by the operator or a program: nothing shows yet that the address is the client's. */
  readonly isPublic: boolean;
  /** The address counts as confirmed. */
  readonly emailVerified: boolean;
}

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
 * Registers an account, and returns what `register` returns. If the policy does not reveal accounts, a taken address gets
 * the same reply as a new one: `undefined`.
 * @throws {Problem} email_taken if the policy reveals accounts.
 */
export async function registerQuietly<T>(
  { revealAccounts }: RegistrationPolicy,
  register: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await register();
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    if (revealAccounts) throw new Problem('email_taken');
    return undefined;
  }
}
