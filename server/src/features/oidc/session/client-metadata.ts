// Returns a client as oidc-provider reads it: metadata of dynamic registration (RFC 7591 §2), and properties of ours.
import type { ClientMetadata } from 'oidc-provider';
import { hasSecret, standardScopes, type Client } from '../client/client.ts';

/** Names of our properties, for `extraClientMetadata.properties` of the library. */
export const extraClientProperties = [
  'bienvenue_kind',
  'bienvenue_first_party',
  'bienvenue_access',
  'bienvenue_resource_scopes',
  'bienvenue_resource_of',
  'bienvenue_skip_pkce',
  'bienvenue_token_endpoint_audience',
  'bienvenue_lifetimes',
] as const;

/** Our properties of a client, with the types that its members have. */
export interface ExtraClientMetadata {
  readonly bienvenue_kind: Client['kind'];
  readonly bienvenue_first_party: boolean;
  readonly bienvenue_access: Client['access'];
  /** Scopes of resources that it may request. The library's `scope` restricts the standard ones only. */
  readonly bienvenue_resource_scopes: readonly string[];
  readonly bienvenue_resource_of: readonly string[];
  readonly bienvenue_skip_pkce: boolean;
  readonly bienvenue_token_endpoint_audience: boolean;
  readonly bienvenue_lifetimes: Client['lifetimes'];
}

/**
 * The library requires `client_secret` of a client that authenticates with one. The real secrets are digests in the
 * store; `compareClientSecret` never reads this text.
 */
const secretPlaceholder = 'the digests of the secrets are in the database';

/** Returns the metadata of a client. */
export function metadataOf(client: Client): ClientMetadata & ExtraClientMetadata {
  const usesCode = client.grantTypes.includes('authorization_code');
  const scopes = client.scopes.filter((scope) => standardScopes.includes(scope));
  return {
    client_id: client.id,
    client_name: client.name,
    // The library compares loopback addresses of native clients without their port.
    application_type: client.kind === 'native' ? 'native' : 'web',
    grant_types: [...client.grantTypes],
    response_types: usesCode ? ['code'] : [],
    redirect_uris: [...client.redirectUris],
    post_logout_redirect_uris: [...client.postLogoutRedirectUris],
    token_endpoint_auth_method: client.authMethod,
    id_token_signed_response_alg: client.idTokenAlg,
    require_pushed_authorization_requests: client.requiresPar,
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    ...(hasSecret(client) && { client_secret: secretPlaceholder }),
    ...(client.jwks !== undefined && { jwks: { keys: client.jwks.keys.map((key) => ({ ...key })) } }),
    ...(client.initiateLoginUri !== undefined && { initiate_login_uri: client.initiateLoginUri }),
    ...(client.backchannelLogoutUri !== undefined && {
      backchannel_logout_uri: client.backchannelLogoutUri,
      backchannel_logout_session_required: client.backchannelLogoutSessionRequired,
    }),
    bienvenue_kind: client.kind,
    bienvenue_first_party: client.isFirstParty,
    bienvenue_access: client.access,
    bienvenue_resource_scopes: client.scopes.filter((scope) => !standardScopes.includes(scope)),
    bienvenue_resource_of: client.resourceOf,
    bienvenue_skip_pkce: client.skipsPkce,
    bienvenue_token_endpoint_audience: client.acceptsTokenEndpointAudience,
    bienvenue_lifetimes: client.lifetimes,
  };
}
