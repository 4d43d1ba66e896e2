// The configuration of the engine. Every member that has a default is named, also where the default is right: an update
// of the engine cannot change what is decided here, and its console stays empty.
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { dayMs, secondMs } from '../../../kit/clock.ts';
import type { Languages } from '../../../kit/language.ts';
import { extraClientProperties, type ExtraClientMetadata } from '../session/client-metadata.ts';
import type { Resource } from '../client/client.ts';
import { acrValues } from '../session/acr.ts';
import type { EngineClient } from '../session/account.ts';
import { claimsByScope } from '../session/requested-access.ts';
import { oidcPaths } from './paths.ts';

const daySeconds = dayMs / secondMs;
const codeSeconds = 60;
const deviceCodeSeconds = 600;
const interactionSeconds = 3600;
/** A grant outlives the tokens under it, of which those of a client may be valid for a year. It ends with the session. */
const grantDays = 400;

/** The signing algorithms, and what uses them. */
const algorithms = ['RS256', 'ES256'] as const;
/** Of clients: no shared secrets, which would have to be stored as they are. */
const clientAlgorithms = ['ES256', 'RS256', 'PS256', 'EdDSA', 'Ed25519'] as const;

const clientMethods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'] as const;

export interface ConfigurationParts {
  readonly languages: Languages;
  /** Names of the session cookie and of those of an interaction. */
  readonly cookies: { readonly session: string; readonly interaction: string; readonly resume: string };
  readonly isSecure: boolean;
  /** 32 bytes, the same in all instances. */
  readonly dpopSecret: Buffer;
  readonly metadataClaims: readonly string[];
  readonly origin: string;
}

/** Returns what does not depend on the database. */
export function staticConfiguration({
  languages,
  cookies,
  isSecure,
  dpopSecret,
  metadataClaims,
  origin,
}: ConfigurationParts): Configuration {
  const cookie = { httpOnly: true, sameSite: 'lax', secure: isSecure, overwrite: true } as const;
  return {
    acrValues: [...acrValues],
    claims: {
      ...Object.fromEntries(Object.entries(claimsByScope).map(([scope, names]) => [scope, [...names]])),
      profile: [...(claimsByScope['profile'] ?? []), ...metadataClaims],
      // How the user authenticated is in every ID token.
      openid: ['sub', 'acr', 'amr', 'auth_time'],
      iss: null,
      sid: null,
    },
    scopes: ['openid', 'offline_access'],
    subjectTypes: ['public'],
    responseTypes: ['code'],
    clients: [],
    clientDefaults: {
      grant_types: ['authorization_code'],
      id_token_signed_response_alg: 'RS256',
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
    clientAuthMethods: [...clientMethods],
    extraClientMetadata: { properties: [...extraClientProperties], validator: () => undefined },
    enabledJWA: {
      clientAuthSigningAlgValues: [...clientAlgorithms],
      idTokenSigningAlgValues: [...algorithms],
      userinfoSigningAlgValues: [...algorithms],
      dPoPSigningAlgValues: ['ES256', 'EdDSA', 'Ed25519'],
    },
    clockTolerance: 15,
    conformIdTokenClaims: false, // many applications read the address from the ID token
    allowOmittingSingleRegisteredRedirectUri: false,
    acceptQueryParamAccessTokens: false,
    enableHttpPostMethods: false, // routes.ts turns POST into GET
    cookies: {
      names: { session: cookies.session, interaction: cookies.interaction, resume: cookies.resume },
      long: { ...cookie, path: '/' },
      short: cookie,
      keys: [],
    },
    discovery: {
      claim_types_supported: ['normal'],
      ui_locales_supported: [...languages.tags],
      prompt_values_supported: ['none', 'login', 'consent', 'select_account', 'create'],
      service_documentation: undefined,
      // RFC 8414 §2. A public client revokes its tokens, and has nothing to introspect.
      revocation_endpoint_auth_methods_supported: [...clientMethods],
      revocation_endpoint_auth_signing_alg_values_supported: [...clientAlgorithms],
      introspection_endpoint_auth_methods_supported: clientMethods.filter((method) => method !== 'none'),
      introspection_endpoint_auth_signing_alg_values_supported: [...clientAlgorithms],
    },
    formats: { bitsOfOpaqueRandomness: 256, customizers: { jwt: undefined } },
    routes: {
      authorization: oidcPaths.authorization,
      token: oidcPaths.token,
      userinfo: oidcPaths.userinfo,
      jwks: oidcPaths.jwks,
      introspection: oidcPaths.introspection,
      revocation: oidcPaths.revocation,
      end_session: oidcPaths.endSession,
      pushed_authorization_request: oidcPaths.pushed,
      device_authorization: oidcPaths.deviceAuthorization,
      code_verification: oidcPaths.device,
    },
    pkce: { required: (ctx, client) => isPkceRequired(ctx, client as unknown as EngineClient) },
    expiresWithSession: async (_ctx, token) => !token.scopes.has('offline_access'),
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    revokeGrantPolicy: (ctx) =>
      !(ctx.oidc.route === 'revocation' && ctx.oidc.entities.AccessToken !== undefined),
    sectorIdentifierUriValidate: () => false,
    // The metadata of clients has no addresses that the engine would fetch.
    fetch: () => Promise.reject(new Error('The provider fetches nothing')),
    fetchResponseBodyLimits: { jwks_uri: 0, sector_identifier_uri: 0, 'client_id metadata document': 0 },
    clientBasedCORS: (ctx, requester, client) =>
      isAllowedOrigin(ctx, requester, client as unknown as EngineClient),
    ttl: timeToLive,
    features: staticFeatures({ dpopSecret, origin }),
  };
}

const { ceil, max, min } = Math;

/** Seconds for which each model is valid. */
const timeToLive: NonNullable<Configuration['ttl']> = {
  AccessToken: (_ctx, token, client) =>
    token.resourceServer?.accessTokenTTL ?? lifetimesOf(client).accessTokenSeconds,
  ClientCredentials: (_ctx, token, client) =>
    token.resourceServer?.accessTokenTTL ?? lifetimesOf(client).accessTokenSeconds,
  IdToken: (_ctx, _token, client) => lifetimesOf(client).idTokenSeconds,
  RefreshToken: (ctx, token, client) => {
    const { refreshIdleDays, refreshMaxDays } = lifetimesOf(client);
    const now = ceil(Date.now() / secondMs);
    const begin = token.iiat ?? ctx.oidc.entities.RotatedRefreshToken?.iiat ?? now;
    return max(1, min(refreshIdleDays * daySeconds, begin + refreshMaxDays * daySeconds - now));
  },
  AuthorizationCode: codeSeconds,
  DeviceCode: deviceCodeSeconds,
  Interaction: interactionSeconds,
  Grant: grantDays * daySeconds,
  Session: interactionSeconds, // not used: the session is ours
  BackchannelAuthenticationRequest: codeSeconds, // not used
  PreAuthorizedCode: codeSeconds, // not used
};

function lifetimesOf(client: unknown): ExtraClientMetadata['bienvenue_lifetimes'] {
  const { bienvenue_lifetimes: lifetimes } = client as EngineClient;
  if (lifetimes === undefined) throw new Error('A client has no lifetimes');
  return lifetimes;
}

/** PKCE is required, unless the operator exempted a confidential client that sends a nonce (OAuth 2.1 §7.5.1). */
function isPkceRequired(ctx: KoaContextWithOIDC, client: EngineClient): boolean {
  const { nonce, scope } = ctx.oidc.params ?? {};
  const hasNonce = typeof nonce === 'string' && nonce !== '' && String(scope).split(' ').includes('openid');
  return !(client.bienvenue_skip_pkce === true && client.clientAuthMethod !== 'none' && hasNonce);
}

/** Pages of a client that runs in the browser may read its replies: those of the origins of its redirect URIs. */
function isAllowedOrigin(ctx: KoaContextWithOIDC, requester: string, client: EngineClient): boolean {
  if (requester === 'null') return false;
  if (ctx.oidc.route !== 'userinfo' && client.clientAuthMethod !== 'none') return false;
  return (client.redirectUris ?? []).some((uri) => URL.parse(uri)?.origin === requester);
}

function staticFeatures({
  dpopSecret,
}: Pick<ConfigurationParts, 'dpopSecret' | 'origin'>): NonNullable<Configuration['features']> {
  const off = { enabled: false } as const;
  return {
    devInteractions: off,
    backchannelLogout: { enabled: true },
    ciba: off,
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    clientIdMetadataDocument: off,
    attestClientAuth: off,
    dPoP: { enabled: true, nonceSecret: dpopSecret, requireNonce: () => false, allowReplay: false },
    encryption: off,
    externalSigningSupport: off,
    fapi: off,
    jwtIntrospection: off,
    jwtResponseModes: off,
    jwtUserinfo: off,
    mTLS: off,
    openid4vci: off,
    pushedAuthorizationRequests: {
      enabled: true,
      requirePushedAuthorizationRequests: false,
      allowUnregisteredRedirectUris: false,
    },
    registration: off,
    registrationManagement: off,
    requestObjects: off,
    revocation: {
      enabled: true,
      // The wrong owner learns nothing (RFC 7009 §2.1 refuses; §2.2 answers 200 for an unknown token).
      allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId,
    },
    richAuthorizationRequests: off,
    rpMetadataChoices: off,
    userinfo: { enabled: true },
    webMessageResponseMode: off,
  };
}

/** What the engine needs to know of a resource. */
export function resourceServerOf({ identifier, scopes, tokenFormat, alg, tokenSeconds }: Resource): {
  readonly scope: string;
  readonly audience: string;
  readonly accessTokenTTL: number;
  readonly accessTokenFormat: 'opaque' | 'jwt';
  readonly jwt: { readonly sign: { readonly alg: Resource['alg'] } } | undefined;
} {
  return {
    scope: scopes.join(' '),
    audience: identifier,
    accessTokenTTL: tokenSeconds,
    accessTokenFormat: tokenFormat,
    jwt: tokenFormat === 'jwt' ? { sign: { alg } } : undefined,
  };
}
