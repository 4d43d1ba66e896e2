// Parts of the pages of mailed tokens: the contribution of a module, the fields, and the request for a mail.
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { addressOf } from '../../http/markup.ts';
import type { Translate } from '../../http/pages.ts';
import { requireEmailAddress, toEmailAddress, type EmailAddress } from '../../user/email-address.ts';
import type { Visit } from '../../page/form-page.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import type { ClientSource } from '../context.ts';
import { pageSourceOf, type BrowserCookies } from '../browser-cookies.ts';
import type { TokenKind } from './kinds.ts';
import './problem.ts';

/** Fields with which a token is redeemed. */
export interface TokenFields {
  /** Address from the link or from the request for the mail; empty for kinds that do not name the account. */
  readonly email: string;
  /** The token, or its code. */
  readonly token: string;
  readonly password?: string | undefined;
  readonly new_password?: string | undefined;
}

/** The pages of a kind of token, as the module that declares the kind contributes them. */
export interface TokenPage {
  readonly kind: TokenKind;
  /**
   * Redeems the token. Returns the path to continue with; `undefined` if the page of the link confirms the success.
   */
  readonly redeem: (fields: TokenFields, visit: Visit) => Promise<string | undefined>;
  /**
   * Returns the forms that ask for more after a refusal that another mail does not solve; `undefined` after others. They
   * send `token` to `action`, and what they ask for.
   */
  readonly askMore?: (visit: Visit, form: MoreForm) => string | undefined;
  /** Mails another token, if the address has an account. Absent if it is requested elsewhere, or never. */
  readonly request?: (email: EmailAddress, source: ClientSource) => Promise<unknown>;
}

/** A form that asks for more. */
export interface MoreForm {
  readonly action: string;
  readonly email: string;
  readonly token: string;
}

export interface TokenPageParts {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
}

/**
 * Parses the address of the account with which a token is redeemed.
 * @throws {Problem} token_invalid if it is malformed: the link was damaged.
 */
export function addressOfAccount({ email }: TokenFields): EmailAddress {
  const address = toEmailAddress(email);
  if (address === undefined) throw new Problem('token_invalid');
  return address;
}

/** Fields of the forms. */
export const tokenForm = Type.Object({
  email: Type.Optional(formField),
  token: formField,
  password: Type.Optional(formField),
  new_password: Type.Optional(formField),
  /** Which form asked for more. */
  by: Type.Optional(formField),
});

interface MailRequest {
  readonly kind: TokenKind;
  readonly email: string;
  /** The session that the mail opens ends with the browser. */
  readonly endsWithBrowser?: boolean;
  readonly mail: (email: EmailAddress, source: ClientSource) => Promise<unknown>;
}

/**
 * Requests a mail from a page, and remembers it in the browser. Returns the path of the page for its code.
 * @throws {Problem} invalid_request if the address is malformed; what `mail` throws.
 */
export async function requestMail(
  { pages, cookies }: TokenPageParts,
  { request, reply, next }: Visit,
  { kind, email, endsWithBrowser = false, mail }: MailRequest,
): Promise<string> {
  const address = requireEmailAddress(email);
  const source = pageSourceOf(pages, request);
  await mail(address, source);
  cookies.setRequest(reply, source);
  cookies.requested.leave(reply, request.headers.cookie, kind, { email: address.text, endsWithBrowser });
  return addressOf(kind.page.codePath ?? kind.page.path, { return_to: next });
}

/** Returns the link to the page that requests another mail; empty if users cannot request this kind. */
export function requestAgain(
  t: Translate,
  { page: { requestPath: path } }: TokenKind,
  known: { readonly email: string | undefined; readonly return_to: string | undefined },
): string {
  if (path === undefined) return '';
  return html`<p class="links"><a href="${addressOf(path, known)}">${t('page.code.ask_again')}</a></p>`;
}

/**
 * Returns the links of a page whose token cannot be redeemed: to another mail, and past it. Often the token was redeemed
 * before, and the user has only opened the link again.
 */
export function otherLinks({ t, next, request: { session } }: Visit, kind: TokenKind, email: string): string {
  const known = { email: email === '' ? undefined : email, return_to: next };
  const [address, label] =
    session === null
      ? [addressOf(paths.signIn, known), t('page.sign_in.title')]
      : [next ?? paths.account, t('page.sign_in.continue_as', { email: session.email })];
  return html`!${requestAgain(t, kind, known)}
    <p class="links"><a href="${address}">${label}</a></p>`;
}

/** Returns a hidden field that names the account, for password managers. */
export function accountField(email: string): string {
  return html`<input type="text" name="email" value="${email}" autocomplete="username" readonly hidden />`;
}
