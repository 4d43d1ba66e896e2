// Requests another email address for the account of the signed-in user.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import type { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { addressOf, field, notice } from '../../http/markup.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { mailCost } from '../../http/fields.ts';
import { ownSections } from '../../page/account-section.ts';
import { accountBody, faultOf, refusalOf } from '../../page/page-form.ts';
import {
  formField,
  formToken,
  rerenderOnProblem,
  PageQuery,
  paths,
  requireForm,
  type PageRoom,
} from '../../page/page-guard.ts';
import {
  admission,
  initiatingSourceOf,
  rememberBrowser,
  sessionOf,
  sourceOf,
} from '../../identity/sign-in/guard.ts';
import { codeForm, type TokenPage } from '../../identity/token/pages.ts';
import type { Session } from '../../identity/session/session.ts';
import { emailChangeKind, emailUndoKind } from './email-change.ts';

const AddressForm = Type.Object({
  email: formField,
  password: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

/** Behind the member door for pages. */
export const emailChangePages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages } = room;
  const { path } = ownSections.address;
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    typed?: { email: string; problem: Problem },
  ): Promise<FastifyReply> => {
    const t = pages.speak(request);
    const session = sessionOf(request);
    const { hashedPassword } = await auth.userOf(session);
    // Before the form is filled in: the last proof may be too old.
    if (hashedPassword === null) await auth.stepUp.requireRecent(session);
    else await auth.stepUp.requireRecentSecond(session);
    const { done } = request.query as { done?: string }; // PageQuery
    const body = html`!${notice('done', done === 'changed' ? t('page.email_change.done') : undefined)}
      <p>${t('page.address.what', { email: session.email })}</p>
      !${refusalOf(t, typed?.problem, ['email', 'password'])}
      <form method="post" action="${path}">
        !${formToken(room, session.id)}
        !${field({
          name: 'email',
          label: t('page.field.new_email'),
          type: 'email',
          value: typed?.email ?? '',
          autocomplete: 'email',
          fault: faultOf(t, typed?.problem, 'email'),
        })}
        !${
          hashedPassword === null
            ? ''
            : field({
                name: 'password',
                label: t('page.field.current_password'),
                type: 'password',
                autocomplete: 'current-password',
              })
        }
        <button>${t('page.address.act')}</button>
      </form>`;
    return pages.send(request, reply, { title: t('page.address.title'), body: accountBody(t, body) });
  };
  scope.get(
    path,
    { schema: { summary: 'Page: your address', querystring: PageQuery } },
    async (request, reply) => show(request, reply),
  );
  scope.post(
    path,
    {
      ...admission(room),
      config: costing(mailCost),
      schema: { summary: 'Page: asks for another address', body: AddressForm },
    },
    async (request, reply) => {
      const { email, password, form_token: token } = request.body;
      const session = sessionOf(request);
      requireForm(room, session.id, token);
      return rerenderOnProblem(
        reply,
        async () => {
          const source = initiatingSourceOf(request, room);
          const address = requireEmailAddress(email);
          await auth.emailChange.request(session, { address, password }, source);
          rememberBrowser(reply, room, source);
          return codeForm(room, request, reply, { kind: emailChangeKind, email: address.text });
        },
        (problem) => show(request, reply, { email, problem }),
      );
    },
  );
};

/** Changes the address, in a session of the account. Without a session it leads to the sign-in page and back to the link. */
export function emailChangePage(room: PageRoom): TokenPage {
  return {
    kind: emailChangeKind,
    async redeem({ token }, request) {
      const session = await readSession(room, request);
      if (session === undefined)
        return addressOf(paths.signIn, { return_to: addressOf(emailChangeKind.page.path, { token }) });
      await room.auth.emailChange.redeem(session, token, sourceOf(request, room));
      return addressOf(ownSections.address.path, { done: 'changed' });
    },
  };
}

/** Restores the old address. */
export function emailUndoPage(room: PageRoom): TokenPage {
  return {
    kind: emailUndoKind,
    async redeem({ token }, request) {
      await room.auth.emailChange.undo(token, sourceOf(request, room));
      return undefined;
    },
  };
}

/**
 * The live session of the request, if there is one; sourceOf then names the user as the actor. To be replaced by the
 * access level `optional`, whose guard sets `request.session`.
 */
async function readSession(room: PageRoom, request: FastifyRequest): Promise<Session | undefined> {
  const session = await room.auth.getSession(room.cookie.read(request.headers.cookie));
  request.session = session ?? null;
  return session;
}
