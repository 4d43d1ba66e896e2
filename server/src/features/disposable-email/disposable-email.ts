// Decides which email addresses an account may have. Checked at registration and at a change of address, but not at
// sign-in, reset or confirmation: an existing account keeps its address.
import { fieldProblem } from '../../kit/problem.ts';
import type { AddressRule } from '../../user/email-address.ts';

/**
 * Rejects addresses of disposable email services and of their subdomains, because such services accept mail for any
 * subdomain. The domains come from a list, so a determined attacker finds one that is missing.
 */
export function noDisposableAddress(): AddressRule {
  let known: Promise<ReadonlySet<string>> | undefined;
  return async ({ key }) => {
    known ??= readDomains().catch((error: unknown) => {
      known = undefined; // the next caller loads it again
      throw error;
    });
    const domains = await known;
    if (namesAbove(key.slice(key.indexOf('@') + 1)).some((name) => domains.has(name)))
      throw fieldProblem('email', 'is a disposable email address; use a permanent one', 'disposable');
  };
}

/** The domains of the list, in lower-case ASCII like those of a normalized address: some 9,000, loaded at first use. */
async function readDomains(): Promise<ReadonlySet<string>> {
  const { disposableEmailBlocklistSet } = await import('disposable-email-domains-js');
  return disposableEmailBlocklistSet(); // each call creates a new one, so it is kept here
}

/** Returns the domain and its parents: `a.b.c`, `b.c`, `c`. */
function namesAbove(domain: string): string[] {
  const labels = domain.split('.');
  return labels.map((_, i) => labels.slice(i).join('.'));
}
