// Builds the pages that mailed links open, and the pages for their codes. Opening a page changes nothing, because mail
// scanners open links too: only the form redeems the token.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { costing, hashing } from '../../http/limits.ts';
import { addressOf, field, hidden, notice } from '../../http/markup.ts';
import { hashCost, mailCost } from '../../http/fields.ts';
import type { Translate } from '../../http/pages.ts';
import { requireEmailAddress, toEmailAddress, type EmailAddress } from '../../user/email-address.ts';
import { faultOf, newPasswordField, refusalOf } from '../../page/form.ts';
import { Elsewhere, form, formPage, type PageRoutes, type Visit } from '../../page/form-page.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { pageSourceOf, type BrowserCookies } from '../guard.ts';
import type { ClientSource } from '../context.ts';
import type { AskedMail } from './asked-mails.ts';
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
  readonly redeem: (
    fields: TokenFields,
    request: FastifyRequest,
    reply: FastifyReply,
  ) => Promise<string | undefined>;
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

/** The page that the link of a mail opens, and the page for its code. */
export function tokenPages(parts: TokenPageParts, page: TokenPage): PageRoutes['routes'] {
  const own = [
    linkPage(parts, page),
    ...(page.kind.page.codePath === undefined ? [] : [codePage(parts, page)]),
  ];
  return async (scope, options) => {
    for (const { routes } of own) await routes(scope, options);
  };
}

/** Fields of the forms. */
const tokenForm = Type.Object({
  email: Type.Optional(formField),
  token: formField,
  password: Type.Optional(formField),
  new_password: Type.Optional(formField),
  /** Which form asked for more. */
  by: Type.Optional(formField),
});

interface LinkView {
  readonly email: string;
  readonly token: string;
  readonly isDone: boolean;
}

/** The page of a link: its form (GET), and what the form does (POST). */
function linkPage({ pages }: TokenPageParts, { kind, redeem, askMore }: TokenPage): PageRoutes {
  const { path, name, hasPassword = false, codePath } = kind.page;
  return formPage<LinkView>(pages, {
    path,
    summary: 'Page that the link of a mail opens; changes nothing',
    title: `page.${name}.title`,
    // A gateway that escapes a link twice sends `amp;token`.
    query: Type.Object({ token: Type.Optional(formField), 'amp;token': Type.Optional(formField) }),
    program: { message: 'redeem the token with this request', method: 'PUT', path: kind.route },
    hasSecretAddress: true,
    shows: ['new_password'],
    showsRefusal: true,
    done: { redeemed: `page.${name}.done` },
    load: ({ query }) => ({
      email: query.email ?? '',
      token: query['token'] ?? query['amp;token'] ?? '',
      isDone: query.done === 'redeemed',
    }),
    body: (visit, view) => {
      const { t, refusal, next, inputs } = visit;
      if (view.isDone) return nextStep(visit);
      const more = refusal && askMore?.(visit, { action: path, ...view });
      if (more !== undefined) return more;
      const refused = refusalOf(t, refusal?.problem, ['new_password']);
      if (refusal !== undefined && isOver(refusal.problem))
        return html`!${refused} !${requestAgain(t, kind, view.email, next)}`;
      if (view.token === '' || (kind.namesAccount && view.email === ''))
        return html`!${notice('fault', t('page.link.incomplete'))}
        !${codePath === undefined ? '' : html`<p class="links"><a href="${addressOf(codePath, { return_to: next })}">${t('page.link.by_code')}</a></p>`}
        !${requestAgain(t, kind, view.email, next)}`;
      const fields = hasPassword
        ? html`!${accountField(view.email)} !${newPasswordField(pages, visit, 'new_password')}`
        : hidden('email', view.email);
      return html`!${refused} !${otherAccount(visit, view.email)}
        <p>${t(`page.${name}.what`, { email: view.email })}</p>
        <form method="post" action="${path}">
          !${fields} !${hidden('token', view.token)} !${inputs}
          <button>${t(`page.${name}.act`)}</button>
        </form>`;
    },
    forms: [
      form({
        summary: 'Page: redeems the token of a mailed link',
        config: hasPassword ? hashing(hashCost) : costing(hashCost),
        fields: tokenForm,
        keeps: ['by'],
        back: ({ email, token }, { next }) => addressOf(path, { email, token, return_to: next }),
        submit: async ({ email = '', ...fields }, { request, reply, next }) =>
          (await redeem({ ...fields, email }, request, reply)) ??
          addressOf(path, { done: 'redeemed', return_to: next }),
      }),
    ],
  });
}

/** The page for the code of a requested mail. It belongs to the browser that requested the mail. */
function codePage(
  { pages, cookies }: TokenPageParts,
  { kind, redeem, askMore, request: mail }: TokenPage,
): PageRoutes {
  const { codePath = '', requestPath = paths.signIn, hasPassword = false } = kind.page;
  const askedBy = ({ request: { headers } }: Visit): AskedMail | undefined =>
    cookies.asked.read(headers.cookie, kind);
  return formPage<AskedMail>(pages, {
    path: codePath,
    summary: 'Page: takes the code of a mail',
    title: 'page.code.title',
    showsRefusal: true,
    load: (visit) => askedBy(visit) ?? new Elsewhere(addressOf(requestPath, { return_to: visit.next })),
    body: (visit, { email, waitSeconds }) => {
      const { t, inputs, next, refusal } = visit;
      const more = refusal && askMore?.(visit, { action: codePath, email, token: visit.typed('token') });
      if (more !== undefined) return more;
      const kept = pages.keptMailPage;
      const again =
        mail === undefined
          ? requestAgain(t, kind, '', next)
          : html`<form method="post" action="${codePath}/again" class="again">
              !${inputs}
              <p data-wait="${String(waitSeconds)}">
                ${waitSeconds > 0 ? t('page.code.again_in', { seconds: waitSeconds }) : ''}
              </p>
              <button class="second" !${waitSeconds > 0 ? 'aria-disabled="true"' : ''}>
                ${t('page.code.ask_again')}
              </button>
            </form>`;
      return html`!${refusalOf(t, refusal?.problem, ['token', 'new_password'])}
        <p>${t(`page.code.${kind.kind}`, { email })}</p>
        !${kept === undefined ? '' : html`<p class="notice"><a href="${kept.path}">${t(`page.${kept.name}.notice`)}</a></p>`}
        <form method="post" action="${codePath}">
          !${hasPassword ? accountField(email) : ''} !${inputs}
          !${field({
            name: 'token',
            label: t('page.field.code'),
            autocomplete: 'one-time-code',
            code: 'mail',
            value: visit.typed('token'),
            hint: t('page.code.hint'),
            fault: faultOf(t, refusal?.problem, 'token'),
          })}
          !${hasPassword ? newPasswordField(pages, visit, 'new_password') : ''}
          <button>${t(`page.code.${kind.kind}_act`)}</button>
        </form>
        !${again}
        <p class="links">
          <a href="${addressOf(requestPath, { return_to: next })}">${t('page.code.other_address')}</a>
        </p>`;
    },
    forms: [
      form({
        summary: 'Page: redeems a code',
        config: hasPassword ? hashing(hashCost) : costing(hashCost),
        fields: tokenForm,
        keeps: ['token', 'by'],
        back: (_fields, { next }) => addressOf(codePath, { return_to: next }),
        submit: async ({ token, password, new_password: newPassword }, visit) => {
          const asked = askedBy(visit);
          if (asked === undefined) throw new Problem('token_invalid');
          const fields = { email: asked.email, token, password, new_password: newPassword };
          const { request, reply, next } = visit;
          return (
            (await redeem(fields, request, reply)) ??
            addressOf(kind.page.path, { done: 'redeemed', return_to: next })
          );
        },
      }),
      ...(mail === undefined
        ? []
        : [
            form({
              path: `${codePath}/again`,
              summary: 'Page: sends the mail again',
              config: costing(mailCost),
              fields: Type.Object({}),
              back: (_fields, { next }) => addressOf(codePath, { return_to: next }),
              submit: async (_fields, visit) => {
                const asked = askedBy(visit);
                const { next } = visit;
                if (asked === undefined) return addressOf(requestPath, { return_to: next });
                if (asked.waitSeconds === 0)
                  await requestMail({ pages, cookies }, visit, { kind, email: asked.email, mail });
                return addressOf(codePath, { return_to: next });
              },
            }),
          ]),
    ],
  });
}

interface MailRequest {
  readonly kind: TokenKind;
  readonly email: string;
  readonly mail: (email: EmailAddress, source: ClientSource) => Promise<unknown>;
}

/**
 * Requests a mail from a page, and remembers it in the browser. Returns the path of the page for its code.
 * @throws {Problem} invalid_request if the address is malformed; what `mail` throws.
 */
export async function requestMail(
  { pages, cookies }: TokenPageParts,
  { request, reply, next }: Visit,
  { kind, email, mail }: MailRequest,
): Promise<string> {
  const address = requireEmailAddress(email);
  const source = pageSourceOf(pages, request);
  await mail(address, source);
  cookies.setRequest(reply, source);
  cookies.asked.leave(reply, request.headers.cookie, kind, address.text);
  return addressOf(kind.page.codePath ?? kind.page.path, { return_to: next });
}

/** Returns a notice if another account is signed in here than that of the link. */
function otherAccount({ t, request: { session } }: Visit, email: string): string {
  if (session === null || email === '' || toEmailAddress(session.email)?.key === toEmailAddress(email)?.key)
    return '';
  return html`<p class="notice">${t('page.link.other_account', { email: session.email, other: email })}</p>`;
}

/** Returns whether a problem ends the link: neither a better password nor waiting solves it. */
function isOver({ fields, retryAfterSeconds }: Problem): boolean {
  return fields.length === 0 && retryAfterSeconds === undefined;
}

/** Returns the button that continues after a success. */
function nextStep({ t, request, next }: Visit): string {
  const { session } = request;
  const address = session === null ? addressOf(paths.signIn, { return_to: next }) : (next ?? paths.account);
  const label = t(session === null ? 'page.sign_in.title' : 'page.account.back');
  return html`<p><a class="button" href="${address}">${label}</a></p>`;
}

/** Returns the link to the page that requests another mail; empty if users cannot request this kind. */
function requestAgain(
  t: Translate,
  { page: { requestPath: path } }: TokenKind,
  email: string,
  next: string | undefined,
): string {
  if (path === undefined) return '';
  const address = addressOf(path, { email: email === '' ? undefined : email, return_to: next });
  return html`<p class="links"><a href="${address}">${t('page.code.ask_again')}</a></p>`;
}

/** Returns a hidden field that names the account, for password managers. */
export function accountField(email: string): string {
  return html`<input type="text" name="email" value="${email}" autocomplete="username" readonly hidden />`;
}
