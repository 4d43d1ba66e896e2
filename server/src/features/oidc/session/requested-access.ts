// What the parameters of a request ask for.
import type { Database } from '../../../db/database.ts';
import { standardScopes } from '../client/client.ts';
import { findResource } from '../client/store.ts';

/** What an authorization request asks for. */
export interface RequestedAccess {
  /** Of the provider. */
  readonly scopes: readonly string[];
  readonly claims: readonly string[];
  /** Scopes of each resource. */
  readonly resources: Readonly<Record<string, readonly string[]>>;
}

/** Claims that say how the user signed in; they need no consent. */
export const plainClaims = new Set(['sub', 'sid', 'auth_time', 'acr', 'amr', 'iss']);

/** Returns the names under which a consent is stored. */
export function namesOf({ scopes, claims, resources }: RequestedAccess): string[] {
  return [
    ...scopes,
    ...claims.map((claim) => `claim ${claim}`),
    ...Object.entries(resources).flatMap(([resource, names]) => names.map((name) => `${resource} ${name}`)),
  ];
}

/**
 * Returns what the parameters of a request ask for.
 * @param allowedScopes Scopes of resources that the client may have.
 */
export async function accessOf(
  db: Database,
  { scope, resource, claims }: Readonly<Record<string, unknown>>,
  allowedScopes: readonly string[],
): Promise<RequestedAccess> {
  const wanted = typeof scope === 'string' ? scope.split(' ') : [];
  const resources: Record<string, readonly string[]> = {};
  for (const identifier of [resource ?? []].flat().map(String)) {
    const found = await findResource(db, identifier);
    if (found !== undefined)
      resources[identifier] = found.scopes.filter(
        (one) => wanted.includes(one) && allowedScopes.includes(one),
      );
  }
  return {
    scopes: wanted.filter((one) => standardScopes.includes(one)),
    claims: claimNames(claims),
    resources,
  };
}

/** Returns the claims that need consent in the parameter `claims` of a request (OpenID Connect Core 1.0 §5.5). */
function claimNames(parameter: unknown): string[] {
  if (typeof parameter !== 'string') return [];
  const { userinfo, id_token: idToken } = JSON.parse(parameter) as Record<string, object | undefined>; // was parsed before
  const names = [...Object.keys(userinfo ?? {}), ...Object.keys(idToken ?? {})];
  return [...new Set(names)].filter((name) => !plainClaims.has(name));
}
