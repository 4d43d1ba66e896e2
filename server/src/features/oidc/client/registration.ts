// The rules between the fields of a client. Nothing is accepted that cannot work or that has no effect.
import { randomBytes } from 'node:crypto';
import { clientFields } from './client-fields.ts';
import { deviceGrant, standardScopes } from './client.ts';
import type { AuthMethod, ClientKind, GrantType, NewClient } from './client.ts';
import { Faults, readFields, shown, type Input, type Values } from './field.ts';
import { endpointFault, redirectFault } from './uri.ts';

type ClientValues = Values<typeof clientFields>;

const idForm = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** Grants that each kind may have; the first ones are its default. */
const grantsOfKind: Readonly<Record<ClientKind, readonly GrantType[]>> = {
  web: ['authorization_code', 'refresh_token', 'client_credentials', deviceGrant],
  browser: ['authorization_code', 'refresh_token'],
  native: ['authorization_code', 'refresh_token', deviceGrant],
  service: ['client_credentials'],
};
const defaultGrants: readonly GrantType[] = ['authorization_code', 'refresh_token'];
const defaultLifetimes = {
  access_token_seconds: 600,
  id_token_seconds: 600,
  refresh_idle_days: 30,
  refresh_max_days: 180,
  refresh_grace_seconds: 30,
} as const;

/**
 * Returns a client that works.
 * @param input its fields; `id` may be missing, and is then generated.
 * @throws {Problem} invalid_request that lists every fault, one per value.
 */
export function requireClient({ id, jwks_uri: keysUri, ...input }: Input): NewClient {
  const faults = new Faults();
  if (id !== undefined && !(typeof id === 'string' && idForm.test(id)))
    faults.add('id', 'must have 1 to 63 of a-z, 0-9, . _ -, and begin with a letter or digit');
  if (keysUri !== undefined)
    faults.add('jwks_uri', 'is not supported yet: put the public keys of the client into jwks');
  const values = readFields(clientFields, input, faults);
  const client = clientOf(typeof id === 'string' ? id : randomBytes(10).toString('hex'), values);
  if (values.name === undefined && !faults.has('name')) faults.add('name', 'is missing');
  // Rules about a field that has a fault of its own would only confuse.
  for (const [name, message] of ruleFaults(client, values)) if (!faults.has(name)) faults.add(name, message);
  for (const [name, message] of uriFaults(client)) faults.add(name, message);
  faults.throwIfAny('client');
  return client;
}

function clientOf(id: string, values: ClientValues): NewClient {
  const { kind = 'web', jwks } = values;
  return {
    id,
    name: values.name ?? '',
    kind,
    grantTypes: grantsOf(kind, values),
    redirectUris: values.redirect_uris ?? [],
    postLogoutRedirectUris: values.post_logout_redirect_uris ?? [],
    ...(values.backchannel_logout_uri !== undefined && {
      backchannelLogoutUri: values.backchannel_logout_uri,
    }),
    backchannelLogoutSessionRequired: values.backchannel_logout_session_required ?? true,
    ...(values.initiate_login_uri !== undefined && { initiateLoginUri: values.initiate_login_uri }),
    scopes: values.scopes ?? defaultScopes(kind, values),
    authMethod: values.token_endpoint_auth_method ?? defaultMethod(kind, jwks !== undefined),
    ...(jwks !== undefined && { jwks }),
    idTokenAlg: values.id_token_signed_response_alg ?? 'RS256',
    isFirstParty: values.first_party ?? false,
    access: {
      emailDomains: values.allowed_email_domains ?? [],
      users: values.allowed_users ?? [],
      ...(values.allowed_groups !== undefined && { groups: values.allowed_groups }),
    },
    skipsPkce: values.skip_pkce ?? false,
    requiresPar: values.require_pushed_authorization_requests ?? false,
    acceptsTokenEndpointAudience: values.accept_token_endpoint_audience ?? false,
    resourceOf: values.resource_of ?? [],
    lifetimes: {
      accessTokenSeconds: values.access_token_seconds ?? defaultLifetimes.access_token_seconds,
      idTokenSeconds: values.id_token_seconds ?? defaultLifetimes.id_token_seconds,
      refreshIdleDays: values.refresh_idle_days ?? defaultLifetimes.refresh_idle_days,
      refreshMaxDays: values.refresh_max_days ?? defaultLifetimes.refresh_max_days,
      refreshGraceSeconds: values.refresh_grace_seconds ?? defaultLifetimes.refresh_grace_seconds,
    },
  };
}

function grantsOf(kind: ClientKind, { grant_types: names, device }: ClientValues): readonly GrantType[] {
  const given = names?.map((name) => (name === 'device_code' ? deviceGrant : name));
  const usual = kind === 'service' ? grantsOfKind.service : defaultGrants;
  return [...new Set([...(given ?? usual), ...(device === true ? [deviceGrant] : [])])] as GrantType[]; // names of grants
}

function defaultScopes(kind: ClientKind, values: ClientValues): readonly string[] {
  if (kind === 'service') return [];
  const canKeep = kind !== 'browser' && grantsOf(kind, values).includes('refresh_token');
  return standardScopes.filter((scope) => scope !== 'offline_access' || canKeep);
}

function defaultMethod(kind: ClientKind, hasKeys: boolean): AuthMethod {
  if (kind === 'browser' || kind === 'native') return 'none';
  return hasKeys ? 'private_key_jwt' : 'client_secret_basic';
}

type NamedFault = readonly [name: keyof typeof clientFields, message: string];

/** Faults of fields that do not fit together. */
function ruleFaults(client: NewClient, values: ClientValues): NamedFault[] {
  return [
    ...grantFaults(client),
    ...authenticationFaults(client),
    ...scopeFaults(client),
    ...(client.kind === 'service' ? serviceFaults(values) : []),
    ...(client.skipsPkce ? pkceFaults(client) : []),
    ...(client.grantTypes.includes('refresh_token') ? [] : refreshFaults(values)),
    ...(values.backchannel_logout_session_required !== undefined && client.backchannelLogoutUri === undefined
      ? [['backchannel_logout_session_required', 'has no effect without backchannel_logout_uri'] as const]
      : []),
    ...(client.lifetimes.refreshIdleDays > client.lifetimes.refreshMaxDays
      ? [['refresh_idle_days', 'must not be more than refresh_max_days'] as const]
      : []),
  ];
}

function grantFaults({ kind, grantTypes, redirectUris, requiresPar }: NewClient): NamedFault[] {
  const faults: NamedFault[] = [];
  const wrong = grantTypes.filter((grant) => !grantsOfKind[kind].includes(grant)).map(nameOfGrant);
  if (grantTypes.length === 0) faults.push(['grant_types', 'must have at least one grant']);
  for (const grant of wrong)
    faults.push(['grant_types', `has ${grant}, which a client of kind ${kind} cannot use`]);
  const usesCode = grantTypes.includes('authorization_code');
  if (grantTypes.includes('refresh_token') && !usesCode && !grantTypes.includes(deviceGrant))
    faults.push(['grant_types', 'has refresh_token, which needs authorization_code or device_code']);
  if (usesCode && redirectUris.length === 0)
    faults.push(['redirect_uris', 'is missing: register where users return after sign-in']);
  if (!usesCode && redirectUris.length > 0)
    faults.push(['redirect_uris', 'has no effect without the grant authorization_code']);
  if (!usesCode && requiresPar)
    faults.push([
      'require_pushed_authorization_requests',
      'has no effect without the grant authorization_code',
    ]);
  return faults;
}

function authenticationFaults({ kind, authMethod, jwks, ...client }: NewClient): NamedFault[] {
  const faults: NamedFault[] = [];
  const isPublic = kind === 'browser' || kind === 'native';
  const method = 'token_endpoint_auth_method';
  if (isPublic && authMethod !== 'none')
    faults.push([
      method,
      `must be none: users can read what is in a client of kind ${kind}, so it keeps no secret`,
    ]);
  if (!isPublic && authMethod === 'none')
    faults.push([method, `must not be none for a client of kind ${kind}: it can keep a secret`]);
  if (authMethod === 'private_key_jwt' && jwks === undefined)
    faults.push(['jwks', 'is missing: private_key_jwt needs the public keys of the client']);
  if (authMethod !== 'private_key_jwt' && jwks !== undefined)
    faults.push(['jwks', 'has no effect without private_key_jwt']);
  if (authMethod !== 'private_key_jwt' && client.acceptsTokenEndpointAudience)
    faults.push(['accept_token_endpoint_audience', 'has no effect without private_key_jwt']);
  if (isPublic && client.resourceOf.length > 0)
    faults.push(['resource_of', `is not possible: a client of kind ${kind} cannot authenticate`]);
  return faults;
}

function scopeFaults({ kind, scopes, grantTypes }: NewClient): NamedFault[] {
  const needsUser = scopes.filter((scope) => standardScopes.includes(scope));
  if (kind === 'service')
    return needsUser.map((scope) => ['scopes', `has ${scope}, which needs a user; a service has none`]);
  const faults: NamedFault[] = [];
  if (scopes.includes('offline_access') && !grantTypes.includes('refresh_token'))
    faults.push(['scopes', 'has offline_access, which needs the grant refresh_token']);
  // Their claims are in the ID token and at the userinfo endpoint, and both need openid.
  const claiming = scopes.includes('openid')
    ? []
    : ['profile', 'email'].filter((one) => scopes.includes(one));
  if (claiming.length > 0)
    faults.push(['scopes', `has ${claiming.join(' and ')} without openid, which opens their claims`]);
  return faults;
}

function pkceFaults({ kind, scopes, grantTypes }: NewClient): NamedFault[] {
  const name = 'skip_pkce';
  if (kind !== 'web')
    return [[name, 'is for web clients only: without a secret, nothing else protects a code']];
  if (!grantTypes.includes('authorization_code'))
    return [[name, 'has no effect without the grant authorization_code']];
  return scopes.includes('openid')
    ? []
    : [[name, 'needs the scope openid: without PKCE a sign-in must have a nonce']];
}

/** A field that has its default says nothing: `fieldsOf` writes it too. */
function isChanged(name: keyof typeof defaultLifetimes, values: ClientValues): boolean {
  return (values[name] ?? defaultLifetimes[name]) !== defaultLifetimes[name];
}

function refreshFaults(values: ClientValues): NamedFault[] {
  return (['refresh_idle_days', 'refresh_max_days', 'refresh_grace_seconds'] as const)
    .filter((name) => isChanged(name, values))
    .map((name) => [name, 'has no effect without the grant refresh_token']);
}

/** Fields about users. */
const userFields = [
  'post_logout_redirect_uris',
  'backchannel_logout_uri',
  'initiate_login_uri',
  'id_token_signed_response_alg',
  'first_party',
  'allowed_email_domains',
  'allowed_users',
  'allowed_groups',
] as const;

function serviceFaults(values: ClientValues): NamedFault[] {
  const given = userFields.filter((name) => values[name] !== undefined);
  return [...given, ...(isChanged('id_token_seconds', values) ? (['id_token_seconds'] as const) : [])].map(
    (name) => [name, 'has no effect: a service has no users'],
  );
}

function uriFaults({ kind, ...client }: NewClient): NamedFault[] {
  const clauses = (
    name: NamedFault[0],
    uris: readonly (string | undefined)[],
    faultOf: (uri: string) => string | undefined,
  ): NamedFault[] =>
    uris.flatMap((uri) => {
      if (uri === undefined) return [];
      const clause = faultOf(uri);
      return clause === undefined ? [] : [[name, `has ${shown(uri)}, which ${clause}`]];
    });
  const redirect = (uri: string): string | undefined => redirectFault(uri, kind);
  return [
    ...clauses('redirect_uris', client.redirectUris, redirect),
    ...clauses('post_logout_redirect_uris', client.postLogoutRedirectUris, redirect),
    ...clauses('backchannel_logout_uri', [client.backchannelLogoutUri], (uri) =>
      endpointFault(uri, 'loopback'),
    ),
    ...clauses('initiate_login_uri', [client.initiateLoginUri], (uri) => endpointFault(uri, 'https')),
  ];
}

/** Returns the short name of a grant. */
function nameOfGrant(grant: GrantType): string {
  return grant === deviceGrant ? 'device_code' : grant;
}

/**
 * Returns the fields from which a client was made, without those that are empty. `requireClient` makes the same client
 * of them.
 */
export function fieldsOf(client: NewClient): Input {
  const { access, lifetimes } = client;
  const isService = client.kind === 'service';
  const all: Readonly<Record<keyof typeof clientFields, unknown>> = {
    name: client.name,
    kind: client.kind,
    redirect_uris: client.redirectUris,
    post_logout_redirect_uris: client.postLogoutRedirectUris,
    backchannel_logout_uri: client.backchannelLogoutUri,
    // Its default is left out, so that it does not stay when the URI is removed.
    backchannel_logout_session_required: client.backchannelLogoutSessionRequired ? undefined : false,
    initiate_login_uri: client.initiateLoginUri,
    scopes: client.scopes,
    grant_types: client.grantTypes.map(nameOfGrant),
    device: undefined,
    token_endpoint_auth_method: client.authMethod,
    jwks: client.jwks,
    id_token_signed_response_alg: isService ? undefined : client.idTokenAlg,
    first_party: isService ? undefined : client.isFirstParty,
    allowed_email_domains: access.emailDomains,
    allowed_users: access.users,
    allowed_groups: access.groups,
    skip_pkce: client.skipsPkce,
    require_pushed_authorization_requests: client.requiresPar,
    accept_token_endpoint_audience: client.acceptsTokenEndpointAudience,
    resource_of: client.resourceOf,
    access_token_seconds: lifetimes.accessTokenSeconds,
    id_token_seconds: lifetimes.idTokenSeconds,
    refresh_idle_days: lifetimes.refreshIdleDays,
    refresh_max_days: lifetimes.refreshMaxDays,
    refresh_grace_seconds: lifetimes.refreshGraceSeconds,
  };
  const entries = Object.entries(all).filter(
    ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return { id: client.id, ...Object.fromEntries(entries) };
}
