// Builds the pages that mailed links open, and the forms for their codes. Opening a page changes nothing, because mail
// scanners open links too: only the form redeems the token.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { costing, hashing } from '../../http/limits.ts';
import { addressOf, field, hidden, notice } from '../../http/markup.ts';
import { wantsPage, type Translate } from '../../http/pages.ts';
import { hashCost } from '../../http/fields.ts';
import { toEmailAddress, type EmailAddress } from '../../user/email-address.ts';
import type { TokenKind } from './kinds.ts';
import { faultOf, newPasswordField, refusalOf } from '../../page/form.ts';
import { seeOther, rerenderOnProblem, type PageKit } from '../../page/page.ts';
import './problem.ts';

/** Maximum length of a query parameter of a link. */
const fieldCharacters = 2200;
const linkField = Type.String({ maxLength: fieldCharacters, pattern: '^[^\\u0000]*$' });
const LinkQuery = Type.Object({
  email: Type.Optional(linkField),
  token: Type.Optional(linkField),
  return_to: Type.Optional(linkField),
});
const LinkForm = Type.Object({
  email: Type.Optional(linkField),
  token: linkField,
  password: Type.Optional(linkField),
  new_password: Type.Optional(linkField),
  return_to: Type.Optional(linkField),
  /** `code` if the form is the one for a code. */
  by: Type.Optional(linkField),
});
const Hint = Type.Object({ message: Type.String(), method: Type.String(), path: Type.String() });

/** Fields of the form of a token's page. */
export interface TokenFields {
  /** Address from the link or as typed; empty for kinds that do not name the account. */
  readonly email: string;
  /** The token, or its code. */
  readonly token: string;
  readonly password?: string;
  readonly new_password?: string;
  /** `code` if the form is the one for a code. */
  readonly by?: string;
}

/** The page of a kind of token, as the module that declares the kind contributes it. */
export interface TokenPage {
  readonly kind: TokenKind;
  /**
   * Redeems the token. Returns the path to continue with; `undefined` if this page shows the success itself.
   */
  readonly redeem: (
    fields: TokenFields,
    request: FastifyRequest,
    reply: FastifyReply,
  ) => Promise<string | undefined>;
  /**
   * Returns the forms that ask for more after a problem that another mail does not solve; `undefined` for other problems.
   */
  readonly askMore?: (fields: TokenFields, problem: Problem, request: FastifyRequest) => string | undefined;
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

/** The page of a kind: its form (GET), and what the form does (POST). */
export function tokenPages(
  { pages }: { readonly pages: PageKit },
  { kind, redeem, askMore }: TokenPage,
): FastifyPluginAsyncTypebox {
  const { path, name } = kind.page;

  return async (scope) => {
    scope.get(
      path,
      {
        schema: {
          summary: 'Page that the link of a mail opens; changes nothing',
          querystring: LinkQuery,
          response: { 200: Hint },
        },
      },
      async (request, reply) => {
        if (!wantsPage(request))
          return { message: 'redeem the token with this request', method: 'PUT', path: kind.route };
        const { email = '', token = '' } = request.query; // each is empty if it is malformed
        const isDamaged = kind.namesAccount && email === '';
        const problem = isDamaged ? { problem: new Problem('token_invalid') } : {};
        return sendForm(pages, request, reply, { kind, email, token, ...problem });
      },
    );
    scope.post(
      path,
      {
        config: kind.page.hasPassword === true ? hashing(hashCost) : costing(hashCost),
        schema: { summary: 'Redeems what the page holds', body: LinkForm },
      },
      async (request, reply) => {
        const { token, by } = request.body;
        const email = toEmailAddress(request.body.email)?.text ?? '';
        const fields = { ...request.body, email };
        return rerenderOnProblem(
          reply,
          async () => {
            const next = await redeem(fields, request, reply);
            if (next !== undefined) return seeOther(reply, next);
            const t = pages.translate(request);
            const body = notice('done', t(`page.${name}.done`));
            return pages.send(request, reply, { title: t(`page.${name}.title`), body });
          },
          (problem) => {
            const body = askMore?.(fields, problem, request);
            if (body !== undefined) {
              const title = pages.translate(request)(`page.${name}.title`);
              return pages.send(request, reply, { title, body, hasSecretAddress: true });
            }
            // Only a mail that was requested has a code.
            return by === 'code' && kind.page.requestPath !== undefined
              ? codeForm(pages, request, reply, { kind, email, problem })
              : sendForm(pages, request, reply, { kind, email, token, problem });
          },
        );
      },
    );
  };
}

/**
 * Sends the form that a link opens. After a problem that a new password does not solve, it offers another mail instead.
 */
function sendForm(
  pages: PageKit,
  request: FastifyRequest,
  reply: FastifyReply,
  { kind, email, token, problem }: { kind: TokenKind; email: string; token: string; problem?: Problem },
): FastifyReply {
  const t = pages.translate(request);
  const { path, name, hasPassword = false } = kind.page;
  const next = pages.returnTo(request);
  const isOver =
    problem !== undefined && problem.fields.length === 0 && problem.retryAfterSeconds === undefined;
  const fields = hasPassword
    ? html`!${accountField(email)} !${newPasswordField(pages, t, { name: 'new_password', problem })}`
    : hidden('email', email);
  const form = html`<p>${t(`page.${name}.what`, { email })}</p>
    <form method="post" action="${path}">
      !${fields} !${hidden('token', token)} !${hidden('return_to', next)}
      <button>${t(`page.${name}.act`)}</button>
    </form>`;
  const body = html`!${refusalOf(t, problem, ['new_password'])}
  !${isOver ? requestAgain(t, kind, email, next) : form}`;
  const title = t(`page.${name}.title`);
  return pages.send(request, reply, { title, body, hasSecretAddress: true });
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

/** Sends the form for the code of a requested mail. */
export function codeForm(
  pages: PageKit,
  request: FastifyRequest,
  reply: FastifyReply,
  { kind, email, problem }: { kind: TokenKind; email: string; problem?: Problem },
): FastifyReply {
  const t = pages.translate(request);
  const next = pages.returnTo(request);
  const { path, hasPassword = false } = kind.page;
  const kept = pages.keptMailPage;
  const body = html`<p>${t(`page.code.${kind.kind}`, { email })}</p>
    !${kept === undefined ? '' : html`<p class="notice"><a href="${kept.path}">${t(`page.${kept.name}.notice`)}</a></p>`}
    !${refusalOf(t, problem, ['new_password'])}
    <form method="post" action="${path}">
      !${hasPassword ? accountField(email) : hidden('email', email)} !${hidden('return_to', next)}
      !${hidden('by', 'code')}
      !${field({
        name: 'token',
        label: t('page.field.code'),
        autocomplete: 'one-time-code',
        hint: t('page.code.hint'),
        fault: faultOf(t, problem, 'token'),
      })}
      !${hasPassword ? newPasswordField(pages, t, { name: 'new_password', problem }) : ''}
      <button>${t(`page.code.${kind.kind}_act`)}</button>
    </form>
    !${requestAgain(t, kind, email, next)}`;
  return pages.send(request, reply, { title: t('page.code.title'), body });
}

/** Returns a hidden field that names the account, for password managers. */
export function accountField(email: string): string {
  return html`<input type="text" name="email" value="${email}" autocomplete="username" readonly hidden />`;
}
