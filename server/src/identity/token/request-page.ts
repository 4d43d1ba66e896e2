// Builds pages that ask for the email address to which a token is mailed.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import type { Problem } from '../../kit/problem.ts';
import { field, hidden, addressOf } from '../../http/markup.ts';
import { mailCost } from '../../http/fields.ts';
import { requireEmailAddress, type EmailAddress } from '../../user/email-address.ts';
import type { ClientSource } from '../context.ts';
import { rerenderOnProblem, formField, PageQuery, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { faultOf, refusalOf } from '../../page/form.ts';
import { pageSourceOf, type BrowserCookies } from '../guard.ts';
import { costing } from '../../http/limits.ts';
import type { TokenKind } from './kinds.ts';
import { codeForm } from './pages.ts';

const EmailForm = Type.Object({ email: formField, return_to: Type.Optional(formField) });

export interface RequestPage {
  readonly path: string;
  /** Its messages are `page.<name>.…`. */
  readonly name: string;
  /** Kind of token that is mailed. */
  readonly kind: TokenKind;
  /** Mails the token, if the address has an account. */
  readonly request: (email: EmailAddress, source: ClientSource) => Promise<unknown>;
}

export interface RequestPageParts {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
}

/** The page (GET) and its form (POST), which answers with the form for the code. */
export function requestPage(
  { pages, cookies }: RequestPageParts,
  { path, name, kind, request: mail }: RequestPage,
): FastifyPluginAsyncTypebox {
  const show = (
    request: FastifyRequest,
    reply: FastifyReply,
    email = '',
    problem?: Problem,
  ): FastifyReply => {
    const t = pages.translate(request);
    const next = pages.returnTo(request);
    const body = html`<p>${t(`page.${name}.what`)}</p>
      !${refusalOf(t, problem, ['email'])}
      <form method="post" action="${path}">
        !${hidden('return_to', next)}
        !${field({
          name: 'email',
          label: t('page.field.email'),
          type: 'email',
          value: email,
          autocomplete: 'username',
          fault: faultOf(t, problem, 'email'),
        })}
        <button>${t(`page.${name}.act`)}</button>
      </form>
      <p class="links">
        <a href="${addressOf(paths.signIn, { return_to: next })}">${t('page.sign_up.sign_in')}</a>
      </p>`;
    return pages.send(request, reply, { title: t(`page.${name}.title`), body });
  };
  return async (scope) => {
    scope.get(
      path,
      { schema: { summary: 'Page: ask for a mail', querystring: PageQuery } },
      async (request, reply) => show(request, reply, request.query.email),
    );
    scope.post(
      path,
      { config: costing(mailCost), schema: { summary: 'Page: sends a mail', body: EmailForm } },
      async (request, reply) =>
        rerenderOnProblem(
          reply,
          async () => {
            const address = requireEmailAddress(request.body.email);
            const source = pageSourceOf(pages, request);
            await mail(address, source);
            cookies.setRequest(reply, source);
            return codeForm(pages, request, reply, { kind, email: address.text });
          },
          (problem) => show(request, reply, request.body.email, problem),
        ),
    );
  };
}
