// Decides what a request of an application costs its network (client-limit.ts).
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Unit } from './unit.ts';

/** Endpoints at which everybody who knows the id of a public client adds rows. */
const openRoutes: ReadonlySet<string> = new Set(['pushed_authorization_request', 'device_authorization']);

/** Errors of a device whose user has not answered yet. */
const waitingErrors: ReadonlySet<string> = new Set(['authorization_pending', 'slow_down']);

/**
 * Returns what a request costs its network. One that a client authenticated is free, also if it fails: users send codes
 * and tokens to an application, and wrong ones must not exclude it.
 */
export function costOf({ status, body, oidc: { route } }: KoaContextWithOIDC, unit: Unit): 0 | 1 {
  if (unit.isClientAuthenticated && status !== 401) return 0;
  // What is above the limit of a user (answer-limit.ts) must not exclude the others of the network.
  if (status >= 500 || status === 429) return 0;
  if (status < 400) return openRoutes.has(route) ? 1 : 0;
  const { error = '' } = (body ?? {}) as { readonly error?: string };
  return waitingErrors.has(error) ? 0 : 1;
}
