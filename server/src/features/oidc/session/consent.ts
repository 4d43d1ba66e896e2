// Finds the grant of a user for a client, or makes one without a question: for applications of the operator, and for what
// the user has allowed before.
import type Provider from 'oidc-provider';
import type { Grant, KoaContextWithOIDC } from 'oidc-provider';
import type { Database } from '../../../db/database.ts';
import { findConsent } from '../grant/consent-store.ts';
import type { EngineClient, UserAccount } from './account.ts';
import { claimsToAsk, namesOf, scopeOfClaim, type RequestedAccess } from './requested-access.ts';
import { grantIdOf } from './sid.ts';

/** Returns the part of a request whose names are allowed. */
function allowedOf(
  { scopes, claims, resources }: RequestedAccess,
  isAllowed: (name: string) => boolean,
): RequestedAccess {
  return {
    scopes: scopes.filter(isAllowed),
    claims: claims.filter((claim) => isAllowed(`claim ${claim}`) || isAllowed(scopeOfClaim(claim) ?? '')),
    resources: Object.fromEntries(
      Object.entries(resources).map(([resource, names]) => [
        resource,
        names.filter((name) => isAllowed(`${resource} ${name}`)),
      ]),
    ),
  };
}

/** Adds what was allowed to a grant; returns false if the grant has all of it. */
export function extendGrant(grant: Grant, access: RequestedAccess): boolean {
  const before = JSON.stringify([grant.openid, grant.resources]);
  // Its end is computed again when it is saved: it now outlives the session.
  if (access.scopes.includes('offline_access')) Object.assign(grant, { exp: undefined });
  if (access.scopes.length > 0) grant.addOIDCScope(access.scopes.join(' '));
  if (access.claims.length > 0) grant.addOIDCClaims([...access.claims]);
  for (const [resource, names] of Object.entries(access.resources))
    if (names.length > 0) grant.addResourceScope(resource, names.join(' '));
  return JSON.stringify([grant.openid, grant.resources]) !== before;
}

/** Returns what the request asks for. */
export function requestedOf({ oidc }: KoaContextWithOIDC): RequestedAccess {
  const { requestParamOIDCScopes, requestParamScopes, requestParamClaims, client } = oidc;
  const scopes = [...requestParamOIDCScopes];
  return {
    scopes,
    claims: claimsToAsk(requestParamClaims, scopes, client?.scope?.split(' ') ?? []),
    resources: Object.fromEntries(
      Object.entries(oidc.resourceServers ?? {}).map(([resource, { scopes: own }]) => [
        resource,
        [...requestParamScopes].filter((scope) => own.has(scope)),
      ]),
    ),
  };
}

/** Returns the grant of a request; `undefined` if the user has allowed nothing of it yet. */
export async function loadGrant(
  provider: Provider,
  db: Database,
  ctx: KoaContextWithOIDC,
): Promise<Grant | undefined> {
  const { client, session, account } = ctx.oidc;
  if (client === undefined || session === undefined || account === undefined) return undefined;
  const { user } = account as UserAccount; // from findAccount()
  const id = session.grantIdFor(client.clientId) ?? grantIdOf(session.uid, client.clientId);
  const found = await provider.Grant.find(id);
  const requested = requestedOf(ctx);
  const isFirstParty = (client as unknown as EngineClient).bienvenue_first_party === true;
  const consent = isFirstParty ? undefined : await findConsent(db, user.id, client.clientId);
  const allowed = allowedOf(requested, (name) => isFirstParty || consent?.scopes.includes(name) === true);
  if (found === undefined && namesOf(allowed).length === 0) return undefined;
  const grant =
    found ?? newGrant(provider, { jti: id, accountId: account.accountId, clientId: client.clientId });
  if (extendGrant(grant, allowed) || found === undefined) await grant.save();
  return grant;
}

/** Makes a grant, with this id if one is given: the types of the engine leave that out. */
export function newGrant(
  provider: Provider,
  members: { readonly jti?: string; readonly accountId: string; readonly clientId: string },
): Grant {
  return new provider.Grant(members);
}
