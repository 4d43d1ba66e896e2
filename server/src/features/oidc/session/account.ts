// The user of a token, as the engine asks for it, with the claims that scopes open (OpenID Connect Core 1.0 §5.4).
import type { Account } from 'oidc-provider';
import type { Database } from '../../../db/database.ts';
import { keyOfAddress } from '../../../user/email-address.ts';
import { findMetadata, findUserBySubject } from '../../../user/details-store.ts';
import type { User } from '../../../user/user.ts';
import { mayUse } from '../client/client.ts';
import type { ExtraClientMetadata } from '../client/metadata.ts';

/** Claims of each scope. */
export const claimsByScope: Readonly<Record<string, readonly string[]>> = {
  openid: ['sub'],
  profile: ['name', 'picture', 'locale'],
  email: ['email', 'email_verified'],
};

/** An account, with its user for our own code. */
export interface UserAccount extends Account {
  readonly user: User;
}

/** A client of the engine with our properties. */
export type EngineClient = Readonly<Partial<ExtraClientMetadata>> & {
  readonly clientId: string;
  readonly clientAuthMethod: string;
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

/** Returns whether a user may use a client. */
export function isAllowed(
  user: User,
  { bienvenue_access: access }: Pick<EngineClient, 'bienvenue_access'>,
  { trustsAddresses }: Pick<AccountParts, 'trustsAddresses'>,
): boolean {
  if (access === undefined) return true;
  const isEmailVerified = trustsAddresses || user.emailVerifiedAt !== null;
  return mayUse({ access }, { subject: user.subject, emailKey: keyOfAddress(user.email), isEmailVerified });
}

/** Returns the account of a subject; `undefined` if it was removed or disabled. */
export async function findAccount(parts: AccountParts, subject: string): Promise<UserAccount | undefined> {
  const user = await findUserBySubject(parts.db, subject);
  if (user === undefined || user.disabledAt !== null) return undefined;
  return {
    accountId: subject,
    user,
    claims: async (_use, scope) => claimsOf(parts, user, scope),
  };
}

async function claimsOf(
  { db, metadataClaims, trustsAddresses }: AccountParts,
  user: User,
  scope: string,
): Promise<Awaited<ReturnType<Account['claims']>>> {
  const needsMetadata = metadataClaims.length > 0 && scope.split(' ').includes('profile');
  const metadata = needsMetadata ? (await findMetadata(db, user.id)).publicMetadata : {};
  const custom = Object.fromEntries(
    metadataClaims.flatMap((name) => (Object.hasOwn(metadata, name) ? [[name, metadata[name]]] : [])),
  );
  return {
    ...custom,
    sub: user.subject ?? '',
    email: user.email,
    email_verified: trustsAddresses || user.emailVerifiedAt !== null,
    ...(user.name !== null && { name: user.name }),
    ...(user.picture !== null && { picture: user.picture }),
    ...(user.language !== null && { locale: user.language }),
  };
}
