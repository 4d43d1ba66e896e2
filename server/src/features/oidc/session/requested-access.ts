// Reads the access that the parameters of a request ask for.
import type { Database } from '../../../db/database.ts';
import { standardScopes } from '../client/client.ts';
import { findResource } from '../client/store.ts';

/** Claims of each scope. */
export const claimsByScope: Readonly<Record<string, readonly string[]>> = {
  openid: ['sub'],
  profile: ['name', 'picture', 'locale'],
  email: ['email', 'email_verified'],
};

/** Returns the scope that opens a claim; `undefined` for a claim that cannot be requested by its name. */
export function scopeOfClaim(name: string): string | undefined {
  return Object.keys(claimsByScope).find((scope) => claimsByScope[scope]?.includes(name));
}

/** What an authorization request asks for. */
export interface RequestedAccess {
  /** Of the provider. */
  readonly scopes: readonly string[];
  readonly claims: readonly string[];
  /** Scopes of each resource. */
  readonly resources: Readonly<Record<string, readonly string[]>>;
}

/** Returns the names under which a consent is stored. */
export function namesOf({ scopes, claims, resources }: RequestedAccess): string[] {
  return [
    ...scopes,
    ...claims.map((claim) => `claim ${claim}`),
    ...Object.entries(resources).flatMap(([resource, names]) => names.map((name) => `${resource} ${name}`)),
  ];
}

/** Returns whether a token with an access would open nothing: other scopes of the provider and claims need `openid`. */
export function opensNothing({ scopes, resources }: RequestedAccess): boolean {
  return !scopes.includes('openid') && Object.values(resources).flat().length === 0;
}

/**
 * Returns those of the requested claims that need consent. Claims that the client cannot receive are ignored (OpenID
 * Connect Core 1.0 §5.5): their names are texts of the application. A scope of the request includes its claims.
 * @param registered Scopes that the client is registered for.
 */
export function claimsToAsk(
  names: Iterable<string>,
  scopes: readonly string[],
  registered: readonly string[],
): string[] {
  return [...new Set(names)].filter((name) => {
    const scope = scopeOfClaim(name);
    return scope !== undefined && scope !== 'openid' && registered.includes(scope) && !scopes.includes(scope);
  });
}

/**
 * Returns what the parameters of a request ask for.
 * @param registered Scopes that the client is registered for: of the provider and of resources.
 */
export async function accessOf(
  db: Database,
  { scope, resource, claims }: Readonly<Record<string, unknown>>,
  registered: readonly string[],
): Promise<RequestedAccess> {
  const wanted = typeof scope === 'string' ? scope.split(' ') : [];
  const resources: Record<string, readonly string[]> = {};
  for (const identifier of [resource ?? []].flat().map(String)) {
    const found = await findResource(db, identifier);
    if (found !== undefined)
      resources[identifier] = found.scopes.filter((one) => wanted.includes(one) && registered.includes(one));
  }
  const scopes = wanted.filter((one) => standardScopes.includes(one));
  return { scopes, claims: claimsToAsk(claimNames(claims), scopes, registered), resources };
}

/** Returns the names of the claims in the parameter `claims` of a request (OpenID Connect Core 1.0 §5.5). */
function claimNames(parameter: unknown): string[] {
  if (typeof parameter !== 'string') return [];
  const { userinfo, id_token: idToken } = JSON.parse(parameter) as Record<string, object | undefined>; // was parsed before
  return [...Object.keys(userinfo ?? {}), ...Object.keys(idToken ?? {})];
}
