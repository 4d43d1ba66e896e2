// Limits codes, tokens and grants to what their client is registered for now. What the operator takes away from a client is
// missing from the next use of what was issued before.
import type { AdapterPayload } from 'oidc-provider';
import { dayMs, secondMs, type Clock } from '../../../kit/clock.ts';
import type { Database } from '../../../db/database.ts';
import { deviceGrant, type Client, type NewClient } from '../client/client.ts';
import { findClientWithSecrets } from '../client/secret-store.ts';
import { isRedirectRegistered } from '../client/uri.ts';
import type { Unit } from './unit.ts';

/** Kinds that are limited. The others are checked when they become one of these. */
const limitedKinds: ReadonlySet<string> = new Set([
  'AccessToken',
  'AuthorizationCode',
  'ClientCredentials',
  'DeviceCode',
  'RefreshToken',
]);
const daySeconds = dayMs / secondMs;

interface ClientParts {
  readonly db: Database;
  readonly clock: Clock;
  /** The unit of the running request; `undefined` outside of one. */
  readonly unit: () => Unit | undefined;
}

/** Returns a client. A request reads each one once. */
export async function clientOf({ db, clock, unit }: ClientParts, id: string): Promise<Client | undefined> {
  const seen = unit()?.seen;
  const known = seen?.clients.get(id);
  if (known !== undefined) return known;
  const found = await findClientWithSecrets(db, id, clock());
  if (found === undefined) return undefined;
  seen?.clients.set(id, found.client);
  seen?.secrets.set(id, found.secrets);
  return found.client;
}

/** Returns the members of a code or token as the client may use it; `undefined` if it may not use it at all. */
export function limitToRegistration(
  kind: string,
  payload: AdapterPayload,
  client: NewClient,
): AdapterPayload | undefined {
  if (!limitedKinds.has(kind)) return payload;
  if (!grantsOf(kind, payload).every((name) => client.grantTypes.some((grant) => grant === name)))
    return undefined;
  if (kind === 'AuthorizationCode' && !mayRedeem(client, payload)) return undefined;
  const { scope, exp, accountId, expiresWithSession } = payload;
  const left = scope === undefined ? undefined : allowedOf(client, scope);
  if (scope !== undefined && scope !== '' && left === '') return undefined;
  const until = Math.min(exp ?? Infinity, endOf(kind, payload, client));
  return {
    ...payload,
    ...(left !== undefined && { scope: left }),
    ...(exp !== undefined && { exp: until }),
    // Without offline_access nothing of a user outlives the session: the engine looks it up.
    ...(accountId !== undefined &&
      expiresWithSession !== true &&
      !mayOutlive(client) && {
        expiresWithSession: true,
      }),
  };
}

/** Returns the members of a grant without the scopes that the client may not have. */
export function limitGrant(payload: AdapterPayload, client: NewClient): AdapterPayload {
  const { openid, resources } = payload as GrantMembers; // the engine's model `Grant`
  return {
    ...payload,
    ...(openid?.scope !== undefined && { openid: { ...openid, scope: allowedOf(client, openid.scope) } }),
    ...(resources !== undefined && {
      resources: Object.fromEntries(
        Object.entries(resources).map(([name, scope]) => [name, allowedOf(client, scope)]),
      ),
    }),
  };
}

interface GrantMembers {
  readonly openid?: { readonly scope?: string };
  readonly resources?: Readonly<Record<string, string>>;
}

function mayOutlive({ scopes }: NewClient): boolean {
  return scopes.includes('offline_access');
}

/** Returns the scopes of a list that the client may have. */
function allowedOf({ scopes }: NewClient, list: string): string {
  const isAllowed = (name: string): boolean => scopes.includes(name);
  return list.split(' ').filter(isAllowed).join(' ');
}

/** Returns the grants by which a code or token was issued, and that by which it is used. */
function grantsOf(kind: string, { gty = '' }: AdapterPayload): readonly string[] {
  if (kind === 'ClientCredentials') return ['client_credentials'];
  if (kind === 'AuthorizationCode') return ['authorization_code'];
  if (kind === 'DeviceCode') return [deviceGrant];
  const names = gty.split(' ').filter((name) => name !== '');
  const all = kind === 'RefreshToken' ? [...names, 'refresh_token'] : names;
  return all.map((name) => (name === 'device_code' ? deviceGrant : name));
}

/** Returns whether the request of a code would be accepted now. */
function mayRedeem(client: NewClient, { redirectUri, codeChallenge }: AdapterPayload): boolean {
  if (!isRedirectRegistered(client, redirectUri ?? '')) return false;
  return codeChallenge !== undefined || client.skipsPkce;
}

/** Returns when a token ends by the lifetimes of the client, in Unix seconds. Those of a resource are its own. */
function endOf(kind: string, payload: AdapterPayload, { lifetimes }: NewClient): number {
  const { iat = Infinity, iiat = iat, aud } = payload;
  const { accessTokenSeconds, refreshIdleDays, refreshMaxDays } = lifetimes;
  if (kind === 'RefreshToken')
    return Math.min(iat + refreshIdleDays * daySeconds, iiat + refreshMaxDays * daySeconds);
  const isAccess = kind === 'AccessToken' || kind === 'ClientCredentials';
  return isAccess && aud === undefined ? iat + accessTokenSeconds : Infinity;
}
