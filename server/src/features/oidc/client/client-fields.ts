// The fields of a client, as a file or a command gives them.
import { asciiDomain } from '../../../kit/text/domain.ts';
import { toEmailAddress } from '../../../user/email-address.ts';
import { deviceGrant, type AuthMethod, type ClientKind, type SigningAlg } from './client.ts';
import { displayName, field, flag, integer, list, oneOf, scopeList, text } from './field.ts';
import { readKeySet } from './key-set.ts';
import { identifierFault } from './uri.ts';

/** Names of grants; that of devices is shorter than its URN. */
const grantNames = ['authorization_code', 'refresh_token', 'client_credentials', 'device_code'] as const;
/** Days in a year: refresh tokens live two of them at most. */
const yearDays = 365;

/** The fields of a client in a file, and with dashes the options of `bienvenue client add`. */
export const clientFields = {
  name: field({
    read: displayName,
    says: 'Name of the application, shown to users.',
    defaultSays: 'required',
  }),
  kind: field<ClientKind>({
    read: oneOf('web', 'browser', 'native', 'service'),
    says: '`web`: a server, which keeps a secret. `browser`: a page whose script talks to the provider (SPA). `native`: an app or a command on the machine of the user. `service`: a program without a user.',
    defaultSays: '`web`',
  }),
  redirect_uris: field({
    read: list(() => undefined), // checked with the kind
    says: 'Where users return after sign-in, compared exactly. https, or http on localhost. A `native` client may also have a scheme with a dot, and its loopback URIs match with any port.',
    defaultSays: 'none',
  }),
  post_logout_redirect_uris: field({
    read: list(() => undefined),
    says: 'Where users may return after sign-out. The same rules apply.',
    defaultSays: 'none',
  }),
  backchannel_logout_uri: field({
    read: text,
    says: 'URL that receives a logout token when a session ends (OpenID Connect Back-Channel Logout).',
    defaultSays: 'none',
  }),
  backchannel_logout_session_required: field({
    read: flag,
    says: 'Whether logout tokens and ID tokens name the session (`sid`).',
    defaultSays: '`true`',
  }),
  initiate_login_uri: field({
    read: text,
    says: 'https URL of the application that begins a sign-in; pages link to it when a sign-in has expired.',
    defaultSays: 'none',
  }),
  scopes: field({
    read: scopeList,
    says: 'Scopes that it may request: `openid`, `profile`, `email`, `offline_access`, and those of resources.',
    defaultSays:
      '`openid`, `profile`, `email`, and `offline_access` unless it is `browser`; none for a `service`',
  }),
  grant_types: field({
    read: list<(typeof grantNames)[number]>(
      (entry) =>
        entry === deviceGrant || grantNames.some((name) => name === entry)
          ? undefined
          : `must be one of ${grantNames.join(', ')}`,
      (entry) => grantNames.find((name) => name === entry) ?? 'device_code',
    ),
    says: 'Grants: `authorization_code`, `refresh_token`, `client_credentials`, `device_code`.',
    defaultSays: '`authorization_code` and `refresh_token`; `client_credentials` for a `service`',
  }),
  device: field({
    read: flag,
    says: 'Adds the grant `device_code`, for devices without a browser.',
    defaultSays: '`false`',
  }),
  token_endpoint_auth_method: field<AuthMethod>({
    read: oneOf('client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'),
    says: 'How it authenticates: `client_secret_basic`, `client_secret_post`, `private_key_jwt` or `none`.',
    defaultSays:
      '`none` for `browser` and `native`; otherwise `private_key_jwt` with `jwks`, `client_secret_basic` without',
  }),
  jwks: field({
    read: readKeySet,
    says: 'Public keys for `private_key_jwt`, as a JSON Web Key Set: RSA of at least 2048 bits, P-256, or Ed25519.',
    defaultSays: 'none',
  }),
  id_token_signed_response_alg: field<SigningAlg>({
    read: oneOf('RS256', 'ES256'),
    says: 'Algorithm of its ID tokens: `RS256` or `ES256`.',
    defaultSays: '`RS256`',
  }),
  first_party: field({
    read: flag,
    says: 'An application of yours: its users are not asked for consent.',
    defaultSays: '`false`',
  }),
  allowed_email_domains: field({
    read: list(
      (entry) => (asciiDomain(entry) === undefined ? 'is not a domain such as example.org' : undefined),
      (entry) => asciiDomain(entry) ?? entry,
    ),
    says: 'Only users whose confirmed email address has one of these domains may use it. Subdomains do not count.',
    defaultSays: 'all users',
  }),
  allowed_users: field({
    read: list(
      (entry) => {
        if (entry.includes('@'))
          return toEmailAddress(entry) === undefined ? 'is not a valid email address' : undefined;
        return /^[\x21-\x7e]{1,255}$/.test(entry) ? undefined : 'is neither an email address nor a subject';
      },
      (entry) => toEmailAddress(entry)?.key ?? entry,
    ),
    says: 'Only these users may use it: confirmed email addresses, or subjects. With other `allowed_` fields, a user needs to match one of them.',
    defaultSays: 'all users',
  }),
  allowed_groups: field({
    read: list((entry) =>
      /^(?=\S)[^\p{C}]{1,100}(?<=\S)$/u.test(entry) ? undefined : 'is not a name of 1 to 100 characters',
    ),
    says: 'Only users with one of these groups may use it: `groups` of their public metadata, a list of strings.',
    defaultSays: 'all users',
  }),
  skip_pkce: field({
    read: flag,
    says: 'Accepts sign-ins without PKCE if they have a nonce, for old `web` clients.',
    defaultSays: '`false`',
  }),
  require_pushed_authorization_requests: field({
    read: flag,
    says: 'Accepts only pushed authorization requests (RFC 9126).',
    defaultSays: '`false`',
  }),
  accept_token_endpoint_audience: field({
    read: flag,
    says: 'Accepts assertions whose audience is the URL of the token endpoint instead of the issuer.',
    defaultSays: '`false`',
  }),
  resource_of: field({
    read: list(identifierFault),
    says: 'Identifiers of the resources that it serves. It may introspect their access tokens.',
    defaultSays: 'none',
  }),
  access_token_seconds: field({
    read: integer(60, 3600),
    says: 'Lifetime of access tokens, from 60 to 3600. That of a resource takes precedence.',
    defaultSays: '600',
  }),
  id_token_seconds: field({
    read: integer(60, 3600),
    says: 'Lifetime of ID tokens, from 60 to 3600.',
    defaultSays: '600',
  }),
  refresh_idle_days: field({
    read: integer(1, yearDays),
    says: 'Days without use after which a refresh token expires, from 1 to 365.',
    defaultSays: '30',
  }),
  refresh_max_days: field({
    read: integer(1, 2 * yearDays),
    says: 'Days after the sign-in after which refresh tokens end in any case, from 1 to 730.',
    defaultSays: '180',
  }),
  refresh_grace_seconds: field({
    read: integer(0, 300),
    says: 'How long a replaced refresh token still returns its successor, in case a reply is lost, from 0 to 300. 0 never does.',
    defaultSays: '30',
  }),
} as const;
