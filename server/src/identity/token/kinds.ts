// The kinds of mailed tokens. A kind is one row, declared by the module that redeems it; everything that differs between
// two kinds stands in the row, so that nothing here names a kind.
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
  /** Event that is emitted when a token is refused; `token_refused` by default. */
  readonly refusalEvent: EventKind<{ readonly kind: 'text' }, never>;
  /** The token is mailed to the address of the account and redeemed together with it. */
  readonly namesAccount: boolean;
  /**
   * A new password, and the end of all access, leave the token as it is. For tokens that undo what a thief of the account
   * did: the thief could otherwise revoke them with another password.
   */
  readonly survivesPasswordChange: boolean;
  /**
   * The token restores an earlier address. While one is pending, the address is neither changed again nor is the account
   * closed: both would take the way back from its true owner.
   */
  readonly restoresAddress: boolean;
}

interface TokenPageRow {
  readonly path: string;
  /** Its messages are `page.<name>.title`, `.what`, `.act` and, unless redeeming leads elsewhere, `.done`. */
  readonly name: string;
  /** Path of the page on which another mail can be requested; absent for mails that no user requests. */
  readonly requestPath?: string;
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

/** What the link of a mail carries besides the path of its page. */
export interface LinkParts {
  /** Address of the account; the link carries it only if the kind names the account. */
  readonly email: string;
  readonly token: string;
  readonly returnTo?: string | undefined;
}

/** The URL of a token's page, as the mail links to it. `origin` is the configured one, never a request's (CWE-640). */
export function tokenLink(origin: string, kind: TokenKind, { email, token, returnTo }: LinkParts): string {
  // A link to another address than the account's does not name the account: a mistyped address is a stranger's.
  const query = new URLSearchParams({
    ...(kind.namesAccount && { email }),
    token,
    ...(returnTo !== undefined && { return_to: returnTo }),
  });
  return `${origin}${kind.page.path}?${query.toString()}`;
}
