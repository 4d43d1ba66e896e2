// The sign-in page and login by password.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { addressOf, field, hidden, notice } from '../../http/markup.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import { hashCost } from '../../http/fields.ts';
import { admission, sendLogin, sourceOf } from './guard.ts';
import { faultOf, refusalOf } from '../../page/page-form.ts';
import {
  afterLogin,
  formField,
  seeOther,
  rerenderOnProblem,
  PageQuery,
  paths,
  returnTo,
  type PageRoom,
  type SignInWay,
} from '../../page/page-guard.ts';

/** The fields of the sign-in form, whichever of its buttons sends it. */
export const SignInForm = Type.Object({
  email: formField,
  password: Type.Optional(formField),
  return_to: Type.Optional(formField),
});

export interface SignInPageRoom extends PageRoom {
  /** Ways to sign in without a password, which features add. */
  readonly ways: readonly SignInWay[];
}

/** Signing in by password. */
export const signInPages: FastifyPluginAsyncTypebox<SignInPageRoom> = async (scope, room) => {
  const { auth } = room;

  scope.get(
    paths.signIn,
    { schema: { summary: 'Page: sign in', querystring: PageQuery } },
    async (request, reply) => {
      const session = await auth.getSession(room.cookie.read(request.headers.cookie));
      if (session !== undefined) return seeOther(reply, returnTo(room, request) ?? paths.account);
      return sendSignInForm(room, request, reply, { email: request.query.email });
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
          const address = requireEmailAddress(email);
          const login = await auth.identity.passwordLogin.logIn(address, password, sourceOf(request, room));
          if (login === undefined) throw new Problem('invalid_credentials');
          sendLogin(reply, room, login);
          return seeOther(reply, afterLogin(login, returnTo(room, request)));
        },
        (problem) => sendSignInForm(room, request, reply, { email, problem }),
      );
    },
  );
};

/** Sends the sign-in form, with the problem of the last attempt. */
export function sendSignInForm(
  room: SignInPageRoom,
  request: FastifyRequest,
  reply: FastifyReply,
  { email = '', problem }: { email?: string | undefined; problem?: Problem } = {},
): FastifyReply {
  const t = room.pages.speak(request);
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
        room.rules.confirmsEmail
          ? html`<a href="${addressOf('/confirm/again', { return_to: next })}"
              >${t('page.sign_in.confirm')}</a
            >`
          : ''
      }
    </p>`;
  return room.pages.send(request, reply, { title: t('page.sign_in.title'), body });
}
