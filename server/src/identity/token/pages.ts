// The pages that the links of mails open, and those where their codes are typed. Looking at one changes nothing, however
// often and by whom: a scanner of mails may open it. Only the person's own press of the button redeems.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { field, hidden, notice } from '../../http/markup.ts';
import { hashCost } from '../../http/fields.ts';
import { proofPages, type ProofKind } from './one-time-token.ts';
import { seeOther, rerenderOnProblem, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { newPasswordField, faultOf, refusalOf } from '../../page/form.ts';
import { costing, hashing } from '../../http/limits.ts';
import { wantsPage, type Translate } from '../../http/pages.ts';
import { addressOf } from '../../http/markup.ts';

/** Characters of a field of a link: more than any has. */
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
  new_password: Type.Optional(linkField),
  return_to: Type.Optional(linkField),
  /** `code` where it was typed. */
  by: Type.Optional(linkField),
});
const Hint = Type.Object({ message: Type.String(), method: Type.String(), path: Type.String() });

/** What a form of a token holds. */
export interface TokenFields {
  readonly email: string;
  readonly token: string;
  readonly new_password?: string;
}

/** The page of one kind of token, as its owner describes it. */
export interface TokenPage {
  readonly kind: ProofKind;
  /** Its messages are `page.<name>.…` */
  readonly name: string;
  /** The route by which a program redeems the token. */
  readonly route: string;
  /** The page takes a new password together with the token. */
  readonly hasPassword?: boolean;
  /** Redeems. Returns where the person goes next; `undefined` if this page says that it is done. */
  readonly redeem: (
    fields: TokenFields,
    request: FastifyRequest,
    reply: FastifyReply,
  ) => Promise<((next: string | undefined) => string) | undefined>;
}

/** The page (GET) that a mailed link opens, and its form (POST), which redeems the token. */
export function tokenPages(
  { pages }: { readonly pages: PageKit },
  page: TokenPage,
): FastifyPluginAsyncTypebox {
  return async (scope) => {
    const path = proofPages[page.kind];
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
        const { email = '', token = '' } = request.query;
        const hint = { message: 'redeem the token with this request', method: 'PUT', path: page.route };
        return wantsPage(request) ? sendForm(pages, request, reply, { page, email, token }) : hint;
      },
    );
    scope.post(
      path,
      {
        config: page.hasPassword === true ? hashing(hashCost) : costing(hashCost),
        schema: { summary: 'Redeems what the page holds', body: LinkForm },
      },
      async (request, reply) => {
        const { email = '', token, by } = request.body;
        return rerenderOnProblem(
          reply,
          async () => {
            const onward = await page.redeem({ ...request.body, email }, request, reply);
            if (onward !== undefined) return seeOther(reply, onward(pages.returnTo(request)));
            const t = pages.translate(request);
            const body = notice('done', t(`page.${page.name}.done`));
            return pages.send(request, reply, { title: t(`page.${page.name}.title`), body });
          },
          (problem) =>
            by === 'code' && askPaths[page.kind] !== undefined
              ? codeForm(pages, request, reply, { kind: page.kind, email, problem })
              : sendForm(pages, request, reply, { page, email, token, problem }),
        );
      },
    );
  };
}

/** The form that a link opens. After a refusal that no other password mends it has no button: asking anew helps. */
function sendForm(
  pages: PageKit,
  request: FastifyRequest,
  reply: FastifyReply,
  { page, email, token, problem }: { page: TokenPage; email: string; token: string; problem?: Problem },
): FastifyReply {
  const t = pages.translate(request);
  const { kind, name, hasPassword = false } = page;
  const next = pages.returnTo(request);
  const isOver =
    problem !== undefined && problem.fields.length === 0 && problem.retryAfterSeconds === undefined;
  const fields = hasPassword
    ? html`!${accountField(email)} !${newPasswordField(pages, t, { name: 'new_password', problem })}`
    : hidden('email', email);
  const form = html`<p>${t(`page.${name}.what`, { email })}</p>
    <form method="post" action="${proofPages[kind]}">
      !${fields} !${hidden('token', token)} !${hidden('return_to', next)}
      <button>${t(`page.${name}.act`)}</button>
    </form>`;
  const body = html`!${refusalOf(t, problem, ['new_password'])}
  !${isOver ? askAgain(t, kind, email, next) : form}`;
  const title = t(`page.${name}.title`);
  return pages.send(request, reply, { title, body, hasSecretAddress: true });
}

/** Where another mail is asked for; the others come by themselves, and hold no code. */
const askPaths: Partial<Record<ProofKind, string>> = {
  verification: '/confirm/again',
  reset: paths.forgot,
  sign_in: paths.signIn,
  email_change: '/account/address',
};

function askAgain(t: Translate, kind: ProofKind, email: string, next: string | undefined): string {
  const path = askPaths[kind];
  if (path === undefined) return '';
  const address = addressOf(path, { email: email === '' ? undefined : email, return_to: next });
  return html`<p class="links"><a href="${address}">${t('page.code.ask_again')}</a></p>`;
}

/** Tells that a mail is on its way, and takes the code of it. */
export function codeForm(
  pages: PageKit,
  request: FastifyRequest,
  reply: FastifyReply,
  { kind, email, problem }: { kind: ProofKind; email: string; problem?: Problem },
): FastifyReply {
  const t = pages.translate(request);
  const next = pages.returnTo(request);
  const hasPassword = kind === 'reset';
  const body = html`<p>${t(`page.code.${kind}`, { email })}</p>
    !${pages.keepsMails ? html`<p class="notice"><a href="${paths.mailbox}">${t('page.code.mailbox')}</a></p>` : ''}
    !${refusalOf(t, problem, ['new_password'])}
    <form method="post" action="${proofPages[kind]}">
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
      <button>${t(`page.code.${kind}_act`)}</button>
    </form>
    !${askAgain(t, kind, email, next)}`;
  return pages.send(request, reply, { title: t('page.code.title'), body });
}

/** The account whose password is set, as password managers look for it; nothing that a person has to see or fill in. */
function accountField(email: string): string {
  return html`<input type="text" name="email" value="${email}" autocomplete="username" readonly hidden />`;
}
