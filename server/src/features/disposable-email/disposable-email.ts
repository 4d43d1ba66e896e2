// Which address an account may have. Asked where one is registered or changed, and never at login, reset or
// confirmation: an account that exists keeps its address.
import { fieldProblem } from '../../kit/problem.ts';
import type { AddressRule } from '../../user/email-address.ts';

/** Every address. */
export const anyAddress: AddressRule = async () => {};

/**
 * No address of a service that hands out throwaway ones, nor of a name below it: such services take mail for any. What
 * they are called comes from a list, so it stops the casual and not the determined.
 */
export function noDisposableAddress(): AddressRule {
  let known: Promise<ReadonlySet<string>> | undefined;
  return async ({ key }) => {
    known ??= readDomains().catch((error: unknown) => {
      known = undefined; // the next caller tries again
      throw error;
    });
    const domains = await known;
    if (namesAbove(key.slice(key.indexOf('@') + 1)).some((name) => domains.has(name)))
      throw fieldProblem('email', 'is a disposable email address; use a permanent one', 'disposable');
  };
}

/** The domains of the list, in ASCII and small letters like those of a normal form: 9,000, read at the first need. */
async function readDomains(): Promise<ReadonlySet<string>> {
  const { disposableEmailBlocklistSet } = await import('disposable-email-domains-js');
  return disposableEmailBlocklistSet(); // made anew by each call, and kept here
}

/** The domain and those above it: `a.b.c`, `b.c`, `c`. */
function namesAbove(domain: string): string[] {
  const labels = domain.split('.');
  return labels.map((_, i) => labels.slice(i).join('.'));
}
