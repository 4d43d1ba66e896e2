// A page with one field, for the email address to which a token is mailed.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import type { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { addressOf, field, hidden } from '../../http/markup.ts';
import { mailCost } from '../../http/fields.ts';
import { requireEmailAddress, type EmailAddress } from '../../user/email-address.ts';
import { faultOf, refusalOf } from '../../page/page-form.ts';
import {
  formField,
  rerenderOnProblem,
  PageQuery,
  paths,
  pageSourceOf,
  returnTo,
  type PageRoom,
} from '../../page/page-guard.ts';
import type { ClientSource } from '../context.ts';
import { rememberBrowser } from '../sign-in/guard.ts';
import type { TokenKind } from './kinds.ts';
import { codeForm } from './pages.ts';

const EmailForm = Type.Object({ email: formField, return_to: Type.Optional(formField) });

export interface RequestPage {
  readonly path: string;
  /** Its messages are `page.<name>.…` */
  readonly name: string;
  /** Kind of token that is mailed. */
  readonly kind: TokenKind;
  /** Mails the token, if the address has an account. */
  readonly request: (email: EmailAddress, source: ClientSource) => Promise<unknown>;
}

/** Mounts the page (GET) and its form (POST), which answers with the form for the code. */
export function mountRequestPage(
  scope: Parameters<FastifyPluginAsyncTypebox>[0],
  room: PageRoom,
  { path, name, kind, request: mail }: RequestPage,
): void {
  const show = (
    request: FastifyRequest,
    reply: FastifyReply,
    email = '',
    problem?: Problem,
  ): FastifyReply => {
    const t = room.pages.speak(request);
    const next = returnTo(room, request);
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
    return room.pages.send(request, reply, { title: t(`page.${name}.title`), body });
  };
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
          const source = pageSourceOf(room, request);
          await mail(address, source);
          rememberBrowser(reply, room, source);
          return codeForm(room, request, reply, { kind, email: address.text });
        },
        (problem) => show(request, reply, request.body.email, problem),
      ),
  );
}
