// The clients (applications) and resources (APIs) that the operator registered.
import type { JsonWebKey } from 'node:crypto';

/**
 * What the application is. `web`: a server, which keeps a secret. `browser`: a page whose script talks to the provider
 * (SPA). `native`: an app or a command on the user's machine. `service`: a program without a user.
 */
export type ClientKind = 'web' | 'browser' | 'native' | 'service';

/** Grant of devices without a browser (RFC 8628 §3.4). */
export const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

export type GrantType = 'authorization_code' | 'refresh_token' | 'client_credentials' | typeof deviceGrant;

/** How the client authenticates (RFC 7591 §2, `token_endpoint_auth_method`). */
export type AuthMethod = 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none';

/** Algorithms of ID tokens and of access tokens that are JWTs. */
export type SigningAlg = 'RS256' | 'ES256';

/** Public keys of a client (RFC 7517). */
export interface KeySet {
  readonly keys: readonly JsonWebKey[];
}

/** Scopes that the provider defines. All others belong to resources. */
export const standardScopes: readonly string[] = ['openid', 'profile', 'email', 'offline_access'];

/** Which users may use a client: all if every list is empty, otherwise those of any list. */
interface ClientAccess {
  /** Domains of verified email addresses, in lower case and punycode. */
  readonly emailDomains: readonly string[];
  /** Verified email addresses in normal form, and subjects. */
  readonly users: readonly string[];
  /** Groups that the public metadata of the user lists. */
  readonly groups?: readonly string[];
}

/** How long the tokens of a client are valid. */
interface Lifetimes {
  readonly accessTokenSeconds: number;
  readonly idTokenSeconds: number;
  /** Days without use after which a refresh token expires. */
  readonly refreshIdleDays: number;
  /** Days after the sign-in after which refresh tokens end in any case. */
  readonly refreshMaxDays: number;
  /** How long a replaced refresh token still returns its successor; 0 never does. */
  readonly refreshGraceSeconds: number;
}

/** A registered client. */
export interface Client {
  /** The `client_id`. */
  readonly id: string;
  /** Shown to users. */
  readonly name: string;
  readonly kind: ClientKind;
  readonly grantTypes: readonly GrantType[];
  /** Compared as texts. Only the port of a loopback address of a native client may differ (RFC 8252 §7.3). */
  readonly redirectUris: readonly string[];
  readonly postLogoutRedirectUris: readonly string[];
  readonly backchannelLogoutUri?: string | undefined;
  /** Logout tokens and ID tokens contain `sid`. */
  readonly backchannelLogoutSessionRequired: boolean;
  readonly initiateLoginUri?: string | undefined;
  /** Scopes that it may request: standard ones and those of resources. */
  readonly scopes: readonly string[];
  readonly authMethod: AuthMethod;
  /** Of a client with `private_key_jwt`. */
  readonly jwks?: KeySet | undefined;
  readonly idTokenAlg: SigningAlg;
  /** An application of the operator: its users are not asked for consent. */
  readonly isFirstParty: boolean;
  readonly access: ClientAccess;
  /** May leave out PKCE if it sends a nonce. */
  readonly skipsPkce: boolean;
  /** Must use pushed authorization requests (RFC 9126). */
  readonly requiresPar: boolean;
  /** Its assertions may name the token endpoint as audience instead of the issuer. */
  readonly acceptsTokenEndpointAudience: boolean;
  /** Identifiers of the resources that it serves: it may introspect their access tokens. */
  readonly resourceOf: readonly string[];
  readonly lifetimes: Lifetimes;
  /** `file:<name>` if a clients file manages it; null if the operator added it by a command. */
  readonly managedBy: string | null;
  /** Unix milliseconds. */
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A client before it is stored. */
export type NewClient = Omit<Client, 'managedBy' | 'createdAt' | 'updatedAt'>;

/** A registered resource: an API that accepts access tokens (RFC 8707). */
export interface Resource {
  /** Absolute URI without a fragment; the audience of its tokens. */
  readonly identifier: string;
  readonly name: string;
  readonly scopes: readonly string[];
  /** `opaque` is introspected and can be revoked; `jwt` is verified without the provider (RFC 9068). */
  readonly tokenFormat: 'opaque' | 'jwt';
  /** Algorithm of its JWTs. */
  readonly alg: SigningAlg;
  /** Lifetime of its access tokens. */
  readonly tokenSeconds: number;
  /** As of a client. */
  readonly managedBy: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** A resource before it is stored. */
export type NewResource = Omit<Resource, 'managedBy' | 'createdAt' | 'updatedAt'>;

/** Returns whether a client authenticates with a secret. */
export function hasSecret({ authMethod }: Pick<Client, 'authMethod'>): boolean {
  return authMethod === 'client_secret_basic' || authMethod === 'client_secret_post';
}

/** What decides whether a user may use a client. */
export interface ClientUser {
  readonly subject: string | null;
  /** Normal form of the email address (`keyOfAddress`). */
  readonly emailKey: string;
  /** An unconfirmed address proves nothing about its domain. */
  readonly isEmailVerified: boolean;
  /** Read only if the client is limited to groups. */
  readonly groups: () => Promise<readonly string[]>;
}

/** Returns whether all users may use a client. */
export function isForAll({ emailDomains, users, groups = [] }: ClientAccess): boolean {
  return emailDomains.length + users.length + groups.length === 0;
}

/** Returns whether a user may use a client. */
export async function mayUse({ access }: Pick<Client, 'access'>, user: ClientUser): Promise<boolean> {
  const { emailDomains, users, groups = [] } = access;
  if (isForAll(access)) return true;
  if (user.subject !== null && users.includes(user.subject)) return true;
  if (user.isEmailVerified) {
    const domain = user.emailKey.slice(user.emailKey.lastIndexOf('@') + 1);
    if (emailDomains.includes(domain) || users.includes(user.emailKey)) return true;
  }
  return groups.length > 0 && (await user.groups()).some((group) => groups.includes(group));
}
