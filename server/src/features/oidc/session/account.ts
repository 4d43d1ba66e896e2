// The user of a token, as the engine asks for it, with the claims that scopes open (OpenID Connect Core 1.0 §5.4).
import type { Account, KoaContextWithOIDC } from 'oidc-provider';
import type { Database } from '../../../db/database.ts';
import { keyOfAddress } from '../../../user/email-address.ts';
import { findMetadata, findUserBySubject } from '../../../user/details-store.ts';
import type { Metadata } from '../../../user/details.ts';
import type { User } from '../../../user/user.ts';
import { isForAll, mayUse } from '../client/client.ts';
import type { ExtraClientMetadata } from './client-metadata.ts';

/** An account, with its user for our own code. */
export interface UserAccount extends Account {
  readonly user: User;
}

/** A client of the engine with our properties. */
export type EngineClient = Readonly<Partial<ExtraClientMetadata>> & {
  readonly clientId: string;
  readonly clientAuthMethod: string;
  /** Standard scopes that it is registered for. */
  readonly scope?: string;
  readonly redirectUris?: readonly string[];
  grantTypeAllowed(type: string): boolean;
  /** Whether its tokens contain `sid`. */
  includeSid(): boolean;
};

export interface AccountParts {
  readonly db: Database;
  /** Names of members of the public metadata that are claims of the scope `profile`. */
  readonly metadataClaims: readonly string[];
  /** Unconfirmed addresses count as verified. */
  readonly trustsAddresses: boolean;
}

/** Returns the groups that the public metadata of a user lists. */
function groupsIn({ groups }: Metadata['publicMetadata']): string[] {
  return Array.isArray(groups) ? groups.filter((one) => typeof one === 'string') : [];
}

/** Returns whether a user may use a client. */
export async function isAllowed(
  user: User,
  { bienvenue_access: access }: Pick<EngineClient, 'bienvenue_access'>,
  { db, trustsAddresses }: Pick<AccountParts, 'db' | 'trustsAddresses'>,
): Promise<boolean> {
  if (access === undefined) return true;
  return mayUse(
    { access },
    {
      subject: user.subject,
      emailKey: keyOfAddress(user.email),
      isEmailVerified: trustsAddresses || user.emailVerifiedAt !== null,
      groups: async () => groupsIn((await findMetadata(db, user.id)).publicMetadata),
    },
  );
}

/**
 * Returns the account of a subject; `undefined` if it was removed or disabled.
 * @param client Receives no claims but those of the scopes that it is registered for now, however it asks for them.
 */
export async function findAccount(
  parts: AccountParts,
  subject: string,
  client?: Pick<EngineClient, 'scope'>,
): Promise<UserAccount | undefined> {
  const user = await findUserBySubject(parts.db, subject);
  if (user === undefined || user.disabledAt !== null) return undefined;
  return {
    accountId: subject,
    user,
    claims: async (_use, scope) => {
      const registered = client?.scope?.split(' ') ?? [];
      return claimsOf(parts, user, { wanted: scope.split(' '), registered });
    },
  };
}

async function claimsOf(
  { db, metadataClaims, trustsAddresses }: AccountParts,
  user: User,
  { wanted, registered }: { readonly wanted: readonly string[]; readonly registered: readonly string[] },
): Promise<Awaited<ReturnType<Account['claims']>>> {
  const hasProfile = registered.includes('profile');
  const needsMetadata = hasProfile && metadataClaims.length > 0 && wanted.includes('profile');
  const metadata = needsMetadata ? (await findMetadata(db, user.id)).publicMetadata : {};
  const custom = Object.fromEntries(
    metadataClaims.flatMap((name) => (Object.hasOwn(metadata, name) ? [[name, metadata[name]]] : [])),
  );
  return {
    ...custom,
    sub: user.subject ?? '',
    ...(registered.includes('email') && {
      email: user.email,
      email_verified: trustsAddresses || user.emailVerifiedAt !== null,
    }),
    ...(hasProfile && user.name !== null && { name: user.name }),
    ...(hasProfile && user.picture !== null && { picture: user.picture }),
    ...(hasProfile && user.language !== null && { locale: user.language }),
  };
}

/** Members of the tokens that are introspected. A refresh token has no audience, that of a program no account. */
interface Introspected {
  readonly clientId?: string;
  readonly accountId?: string;
  readonly aud?: string | readonly string[];
}

/**
 * Returns whether a client may introspect a token: its own, or one of a resource that it serves. Neither if its user
 * may not use the application any more.
 */
export async function mayIntrospect(
  parts: AccountParts,
  { oidc }: KoaContextWithOIDC,
  request: { readonly client: object; readonly token: object },
): Promise<boolean> {
  const client = request.client as EngineClient;
  const { clientId = '', accountId, aud } = request.token as Introspected;
  const { bienvenue_resource_of: resources = [] } = client;
  const isOwn = clientId === client.clientId && client.clientAuthMethod !== 'none';
  if (!isOwn && ![aud].flat().some((one) => one !== undefined && resources.includes(one))) return false;
  if (accountId === undefined) return true;
  const owner = isOwn ? client : await oidc.provider.Client.find(clientId);
  const { bienvenue_access: access } = (owner ?? {}) as Partial<EngineClient>;
  if (access === undefined) return false; // the application was removed
  if (isForAll(access)) return true; // without reading the user
  const account = await findAccount(parts, accountId);
  return account !== undefined && (await isAllowed(account.user, { bienvenue_access: access }, parts));
}
