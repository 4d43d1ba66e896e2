// Makes a provider of the engine with a set of signing keys: its configuration, its store, and what surrounds a request.
import type * as Library from 'oidc-provider';
import type Provider from 'oidc-provider';
import type {
  AccessToken,
  ClientCredentials,
  Configuration,
  Grant,
  JWK,
  KoaContextWithOIDC,
} from 'oidc-provider';
import { secondMs } from '../../../kit/clock.ts';
import { findResource } from '../client/store.ts';
import {
  findAccount,
  isAllowed,
  mayIntrospect,
  type AccountParts,
  type EngineClient,
  type UserAccount,
} from '../session/account.ts';
import { adapterFor, type AdapterParts } from '../token/adapter.ts';
import { resourceServerOf, staticConfiguration, type ConfigurationParts } from './configuration.ts';
import type { ClientLimit } from '../token/client-limit.ts';
import { loadGrant, requestedOf } from '../session/consent.ts';
import { opensNothing } from '../session/requested-access.ts';
import { createPolicy, type PolicyParts } from '../session/policy.ts';
import { faultOfState } from '../session/state-limit.ts';
import type { DeviceInfo, DevicePolls } from '../token/device-polls.ts';
import { patchProvider } from './patches.ts';
import { oidcPaths } from './paths.ts';
import { surround, type SurroundParts } from './surround.ts';
import { currentUnit } from '../token/unit.ts';

/** How long an assertion of a client may be valid. */
const maxAssertionSeconds = 3600;

export interface ProviderParts
  extends Omit<ConfigurationParts, 'cookies'>, AccountParts, Omit<AdapterParts, 'unit'>, SurroundParts {
  readonly cookies: ConfigurationParts['cookies'];
  readonly canReach: PolicyParts['canReach'];
  readonly limit: ClientLimit;
  readonly polls: DevicePolls;
}

/**
 * Makes a provider.
 * @param library The engine's module, which is loaded late.
 * @param keys Private keys, the current ones first.
 */
export function createProvider(
  { default: Engine, errors, interactionPolicy }: typeof Library,
  keys: readonly JWK[],
  parts: ProviderParts,
): Provider {
  const { db, origin } = parts;
  const adapterParts = { ...parts, unit: currentUnit };
  const fixed = staticConfiguration(parts);
  const configuration: Configuration = {
    ...fixed,
    adapter: (model) => adapterFor(adapterParts, model),
    jwks: { keys: [...keys] },
    findAccount: async (ctx, subject) => {
      // Access may have been taken away since the sign-in. At an authorization request a page says so.
      const client = ctx.oidc.client as EngineClient | undefined;
      const account = await findAccount(parts, subject, client);
      const asksPerson = /authorization|resume|code_verification/.test(ctx.oidc.route ?? '');
      if (account === undefined || client === undefined || asksPerson) return account;
      return (await isAllowed(account.user, client, parts)) ? account : undefined;
    },
    loadExistingGrant: (ctx): Promise<Grant | undefined> => loadGrant(provider, db, ctx),
    extraParams: {
      state: (_ctx, state) => {
        const fault = faultOfState(state);
        if (fault !== undefined) throw new errors.InvalidRequest(fault);
      },
      // The engine would ask the person, and then answer that access was denied (RFC 6749 §3.3).
      scope: (ctx) => {
        if (opensNothing(requestedOf(ctx)))
          throw new errors.CustomOIDCProviderError(
            'invalid_scope',
            'request openid, or a scope of a resource that the request names',
          );
      },
    },
    rotateRefreshToken: () => currentUnit()?.replay === undefined,
    extraTokenClaims: async (ctx, token) => authenticationClaims(ctx, token),
    interactions: {
      url: (_ctx, { uid, params }) => parts.addressOf(uid, params),
      policy: createPolicy({
        library: interactionPolicy,
        canReach: parts.canReach,
        isAllowed: (user, client) => isAllowed(user, client, parts),
        userOf: (ctx) => (ctx.oidc.account as UserAccount | undefined)?.user,
      }),
    },
    renderError: (ctx, { error, error_description: description }) => parts.refuse(ctx, error, description),
    assertJwtClientAuthClaimsAndHeader: async (ctx, { aud, exp = 0 }, _header, client) => {
      // Its identifier is stored until then.
      if (Number(exp) > Date.now() / secondMs + maxAssertionSeconds)
        throw new errors.InvalidClientAuth('exp must be within an hour');
      const isIssuer = aud === origin;
      const { bienvenue_token_endpoint_audience: acceptsEndpoint } = client as unknown as EngineClient;
      if (!isIssuer && !(acceptsEndpoint === true && aud === `${origin}${oidcPaths.token}`))
        throw new errors.InvalidClientAuth('audience (aud) must be the issuer identifier');
      if (ctx.oidc.issuer !== origin) throw new errors.InvalidClientAuth('the issuer is not ours');
      currentUnit()?.noteAuthentication(); // the signature was verified before
    },
    features: featuresOf(parts, errors, fixed.features),
  };
  const provider: Provider = new Engine(origin, configuration);
  const running = (): KoaContextWithOIDC | undefined =>
    (Engine as unknown as { readonly ctx?: KoaContextWithOIDC }).ctx;
  patchProvider(provider, {
    ...parts,
    errors,
    networkOf: () => {
      const ctx = running();
      return ctx === undefined ? '' : (parts.sourceOf(ctx).network ?? '');
    },
    proofOf: () => running()?.get('dpop') ?? '',
  });
  surround(provider, parts);
  return provider;
}

/** Returns the features that read the database or answer with pages. */
function featuresOf(
  parts: ProviderParts,
  errors: typeof Library.errors,
  fixed: Configuration['features'],
): NonNullable<Configuration['features']> {
  const { db, clock, refuse, sourceOf } = parts;
  // The types pair features with each other, which a spread does not tell.
  return {
    ...fixed,
    deviceFlow: {
      enabled: true,
      charset: 'base-20',
      mask: '****-****',
      // For the page of the code.
      deviceInfo: (ctx) => ({ ...({ address: sourceOf(ctx).address, at: clock() } satisfies DeviceInfo) }),
      // Pages of ours answer the paths of these four.
      userCodeInputSource: (ctx) => refuse(ctx, 'invalid_request'),
      userCodeConfirmSource: (ctx) => refuse(ctx, 'invalid_request'),
      successSource: (ctx) => refuse(ctx, 'invalid_request'),
    },
    introspection: {
      enabled: true,
      allowedPolicy: (ctx, client, token) => mayIntrospect(parts, ctx, { client, token }),
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: async (_ctx, _client, oneOf) => oneOf, // of several the engine refuses all
      useGrantedResource: async () => true,
      getResourceServerInfo: async (_ctx, identifier, client) => {
        const resource = await findResource(db, identifier);
        const { bienvenue_resource_scopes: allowed = [] } = client as unknown as EngineClient;
        if (resource === undefined) throw new errors.InvalidTarget('the resource is not registered');
        const scopes = resource.scopes.filter((scope) => allowed.includes(scope));
        return resourceServerOf({ ...resource, scopes });
      },
    },
    rpInitiatedLogout: {
      enabled: true,
      logoutSource: (ctx) => refuse(ctx, 'invalid_request'),
      postLogoutSuccessSource: (ctx) => refuse(ctx, 'invalid_request'),
    },
  } as NonNullable<Configuration['features']>;
}

/** Claims of an access token that say how the user authenticated (RFC 9470 §6, RFC 9068 §2.2.1). */
function authenticationClaims(
  { oidc }: KoaContextWithOIDC,
  token: AccessToken | ClientCredentials,
): Record<string, unknown> | undefined {
  const { AuthorizationCode, DeviceCode, RefreshToken } = oidc.entities;
  const source = RefreshToken ?? AuthorizationCode ?? DeviceCode;
  if (source === undefined || !('accountId' in token)) return undefined;
  const { acr, amr, authTime } = source;
  return {
    ...(acr !== undefined && { acr }),
    ...(amr !== undefined && { amr }),
    ...(authTime !== undefined && { auth_time: authTime }),
    ...(token.sid !== undefined && { sid: token.sid }),
  };
}
