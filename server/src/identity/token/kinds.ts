// Declares kinds of mailed tokens. The module that redeems a kind declares it in one row, which holds all differences
// between kinds: no kind is named here.
import type { SecretKind } from '../../kit/secret.ts';
import type { EventKind } from '../event.ts';
import { tokenEvents } from './event.ts';

/** A kind of mailed token. The messages of the form for its code are `page.code.<kind>` and `page.code.<kind>_act`. */
export interface TokenKind extends SecretKind {
  /** Minutes until a token expires, unless `issue` gets another number. */
  readonly minutes: number;
  /** The page that the mailed link opens. Opening it changes nothing. */
  readonly page: TokenPageRow;
  /** Path of the route (PUT) by which a program redeems a token. */
  readonly route: string;
  /** Event of a rejected token; `token_refused` by default. */
  readonly refusalEvent: EventKind<{ readonly kind: 'text' }, never>;
  /** The link also carries the address of the account, and the token is redeemed together with it. */
  readonly namesAccount: boolean;
  /**
   * A new password does not revoke the token. For tokens that undo a takeover: an attacker could otherwise revoke them
   * by changing the password.
   */
  readonly survivesPasswordChange: boolean;
  /**
   * The token restores an earlier address. While one is pending, the address cannot be changed again and the account
   * cannot be closed: either would prevent the true owner from restoring the address.
   */
  readonly restoresAddress: boolean;
}

interface TokenPageRow {
  readonly path: string;
  /** Its messages are `page.<name>.title`, `.what` and `.act`. */
  readonly name: string;
  /** The page itself says that the token was redeemed, with `.done_title` and `.done`. Others redirect then. */
  readonly saysDone?: true;
  /** Path of the page on which another mail can be requested; absent for mails that no user requests. */
  readonly requestPath?: string;
  /** The page for the code of a requested mail; required with `requestPath`. Its text is `page.code.<kind>`. */
  readonly codePath?: string;
  /** The page takes a new password together with the token. */
  readonly hasPassword?: boolean;
}

type Optional = 'refusalEvent' | 'namesAccount' | 'survivesPasswordChange' | 'restoresAddress';

/** Declares a kind of mailed token. Flags that are absent are false. */
export function tokenKind(row: Omit<TokenKind, Optional> & Partial<Pick<TokenKind, Optional>>): TokenKind {
  return {
    refusalEvent: tokenEvents.token_refused,
    namesAccount: false,
    survivesPasswordChange: false,
    restoresAddress: false,
    ...row,
  };
}

/** Query parameters of a mailed link. */
export interface LinkParts {
  /** Address of the account; the link carries it only if the kind names the account. */
  readonly email: string;
  readonly token: string;
  readonly returnTo?: string | undefined;
}

/** Returns the URL of a token's page for its mail. `origin` is the configured one, never a request's (CWE-640). */
export function tokenLink(origin: string, kind: TokenKind, { email, token, returnTo }: LinkParts): string {
  // A mail to a new address does not name the account: a mistyped address belongs to a stranger.
  const query = new URLSearchParams({
    ...(kind.namesAccount && { email }),
    token,
    ...(returnTo !== undefined && { return_to: returnTo }),
  });
  return `${origin}${kind.page.path}?${query.toString()}`;
}
