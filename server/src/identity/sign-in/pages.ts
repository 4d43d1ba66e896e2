// Signing in by password or mail, and signing out.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { addressOf, field, hidden, notice } from '../../http/markup.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { hashCost, mailCost } from '../../http/fields.ts';
import { admission, rememberBrowser, sendLogin, sessionOf, sourceOf } from './guard.ts';
import { faultOf, refusalOf } from '../../page/page-form.ts';
import {
  afterLogin,
  formField,
  formToken,
  seeOther,
  rerenderOnProblem,
  PageQuery,
  paths,
  requireForm,
  pageSourceOf,
  returnTo,
  type PageRoom,
  type SignInWay,
} from '../../page/page-guard.ts';
import { codeForm } from '../token/pages.ts';
import '../session/problem.ts';

const SignInForm = Type.Object({
  email: formField,
  password: Type.Optional(formField),
  return_to: Type.Optional(formField),
});
const SignOutForm = Type.Object({
  form_token: Type.Optional(formField),
  return_to: Type.Optional(formField),
});

/** Signing in by password or mail. */
export const signInPages: FastifyPluginAsyncTypebox<
  PageRoom & { readonly ways: readonly SignInWay[] }
> = async (scope, room) => {
  const { auth, pages } = room;

  const show = (
    request: FastifyRequest,
    reply: FastifyReply,
    email = '',
    problem?: Problem,
  ): FastifyReply => {
    const t = pages.speak(request);
    const next = returnTo(room, request);
    const { done } = request.query as { done?: string };
    const body = html`!${done === 'password' ? notice('done', t('page.reset.done')) : ''}
      !${done === 'confirmed' ? notice('done', t('page.confirm.done')) : ''}
      !${done === 'signed_out' ? notice('done', t('page.sign_out.done')) : ''}
      !${refusalOf(t, problem, ['email'])}
      <form method="post" action="${paths.signIn}">
        !${hidden('return_to', next)}
        !${field({
          name: 'email',
          label: t('page.field.email'),
          type: 'email',
          value: email,
          autocomplete: 'username webauthn',
          fault: faultOf(t, problem, 'email'),
        })}
        !${field({
          name: 'password',
          label: t('page.field.password'),
          type: 'password',
          autocomplete: 'current-password',
        })}
        <button>${t('page.sign_in.act')}</button>
        !${
          room.signsInByEmail
            ? html`<button class="second" formaction="${paths.signIn}/email" formnovalidate>
                ${t('page.sign_in.by_mail')}
              </button>`
            : ''
        }
      </form>
      !${room.ways.map((way) => way.form(room, request, next))}
      <p class="links">
        <a href="${addressOf(paths.forgot, { return_to: next })}">${t('page.sign_in.forgot')}</a>
        <a href="${addressOf(paths.signUp, { return_to: next })}">${t('page.sign_in.sign_up')}</a>
        !${
          room.rules.emailConfirmation
            ? html`<a href="${addressOf('/confirm/again', { return_to: next })}"
                >${t('page.sign_in.confirm')}</a
              >`
            : ''
        }
      </p>`;
    return pages.send(request, reply, { title: t('page.sign_in.title'), body });
  };

  scope.get(
    paths.signIn,
    { schema: { summary: 'Page: sign in', querystring: PageQuery } },
    async (request, reply) => {
      const session = await auth.getSession(room.cookie.read(request.headers.cookie));
      if (session !== undefined) return seeOther(reply, returnTo(room, request) ?? paths.account);
      return show(request, reply, request.query.email);
    },
  );

  scope.post(
    paths.signIn,
    {
      ...admission(room),
      config: costing(hashCost),
      schema: { summary: 'Page: signs in', body: SignInForm },
    },
    async (request, reply) => {
      const { email, password = '' } = request.body;
      return rerenderOnProblem(
        reply,
        async () => {
          const { text } = requireEmailAddress(email);
          const login = await auth.logIn(text, password, sourceOf(request, room));
          if (login === undefined) throw new Problem('invalid_credentials');
          sendLogin(reply, room, login);
          return seeOther(reply, afterLogin(login, returnTo(room, request)));
        },
        (problem) => show(request, reply, email, problem),
      );
    },
  );

  if (!room.signsInByEmail) return;
  scope.post(
    `${paths.signIn}/email`,
    {
      config: costing(mailCost),
      schema: { summary: 'Page: sends a link and a code that sign in', body: SignInForm },
    },
    async (request, reply) =>
      rerenderOnProblem(
        reply,
        async () => {
          const { text } = requireEmailAddress(request.body.email);
          const source = pageSourceOf(room, request);
          await auth.requestSignIn(text, source);
          rememberBrowser(reply, room, source);
          return codeForm(room, request, reply, { kind: 'sign_in', email: text });
        },
        (problem) => show(request, reply, request.body.email, problem),
      ),
  );
};

/** Behind the member door: signing out. */
export const signOutPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages } = room;
  scope.get(
    '/sign-out',
    { schema: { summary: 'Page: sign out', querystring: PageQuery } },
    async (request, reply) => {
      const t = pages.speak(request);
      const body = html`<p>${t('page.sign_out.what', { email: sessionOf(request).email })}</p>
        <form method="post" action="/sign-out">
          !${formToken(room, sessionOf(request).id)} !${hidden('return_to', returnTo(room, request))}
          <button>${t('page.sign_out.act')}</button>
        </form>`;
      return pages.send(request, reply, { title: t('page.sign_out.title'), body });
    },
  );

  scope.post(
    '/sign-out',
    { schema: { summary: 'Page: signs out', body: SignOutForm } },
    async (request, reply) => {
      const session = sessionOf(request);
      requireForm(room, session.id, request.body.form_token);
      await auth.endSession(session.id, sourceOf(request, room));
      void reply.header('set-cookie', room.cookie.clear());
      return seeOther(reply, returnTo(room, request) ?? addressOf(paths.signIn, { done: 'signed_out' }));
    },
  );
};
