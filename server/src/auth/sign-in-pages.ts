// Signing in, giving the second factor, proving once more that it is you, signing out.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { isProblem, Problem } from '../kit/problem.ts';
import { costing } from '../http/limits.ts';
import { addressOf, field, hidden, notice } from '../http/markup.ts';
import { requireEmailAddress } from '../user/email-address.ts';
import { hashCost, mailCost } from './fields.ts';
import { promptsFor, type PromptForm } from './factor-prompt.ts';
import { admission, pendingLoginOf, rememberAsker, sendLogin, sessionOf, sourceOf } from './guard.ts';
import { faultOf, refusalOf } from './page-form.ts';
import {
  afterLogin,
  formField,
  formToken,
  goOn,
  orAgain,
  PageQuery,
  paths,
  requireForm,
  pageSourceOf,
  returnTo,
  type PageRoom,
  type SignInWay,
} from './page-guard.ts';
import { codeForm } from './pages.ts';
import type { Session } from './session.ts';

const SignInForm = Type.Object({
  email: formField,
  password: Type.Optional(formField),
  return_to: Type.Optional(formField),
});
const FactorForm = Type.Object({
  factor: formField,
  proof: formField,
  remember_device: Type.Optional(formField),
  return_to: Type.Optional(formField),
  form_token: Type.Optional(formField),
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
    const say = pages.speak(request);
    const next = returnTo(room, request);
    const { done } = request.query as { done?: string };
    const body = html`!${done === 'password' ? notice('done', say('page.reset.done')) : ''}
      !${done === 'confirmed' ? notice('done', say('page.confirm.done')) : ''}
      !${done === 'signed_out' ? notice('done', say('page.sign_out.done')) : ''}
      !${refusalOf(say, problem, ['email'])}
      <form method="post" action="${paths.signIn}">
        !${hidden('return_to', next)}
        !${field({
          name: 'email',
          label: say('page.field.email'),
          type: 'email',
          value: email,
          autocomplete: 'username webauthn',
          fault: faultOf(say, problem, 'email'),
        })}
        !${field({
          name: 'password',
          label: say('page.field.password'),
          type: 'password',
          autocomplete: 'current-password',
        })}
        <button>${say('page.sign_in.act')}</button>
        !${
          room.signsInByEmail
            ? html`<button class="second" formaction="${paths.signIn}/email" formnovalidate>
                ${say('page.sign_in.by_mail')}
              </button>`
            : ''
        }
      </form>
      !${room.ways.map((way) => way.form(room, request, next))}
      <p class="links">
        <a href="${addressOf(paths.forgot, { return_to: next })}">${say('page.sign_in.forgot')}</a>
        <a href="${addressOf(paths.signUp, { return_to: next })}">${say('page.sign_in.sign_up')}</a>
        !${
          room.rules.confirmsEmail
            ? html`<a href="${addressOf('/confirm/again', { return_to: next })}"
                >${say('page.sign_in.confirm')}</a
              >`
            : ''
        }
      </p>`;
    return pages.send(request, reply, { title: say('page.sign_in.title'), body });
  };

  scope.get(
    paths.signIn,
    { schema: { summary: 'Page: sign in', querystring: PageQuery } },
    async (request, reply) => {
      const session = await auth.getSession(room.cookie.read(request.headers.cookie));
      if (session !== undefined) return goOn(reply, returnTo(room, request) ?? paths.account);
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
      return orAgain(
        reply,
        async () => {
          const { text } = requireEmailAddress(email);
          const login = await auth.logIn(text, password, sourceOf(request, room));
          if (login === undefined) throw new Problem('invalid_credentials');
          sendLogin(reply, room, login);
          return goOn(reply, afterLogin(login, returnTo(room, request)));
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
      orAgain(
        reply,
        async () => {
          const { text } = requireEmailAddress(request.body.email);
          const source = pageSourceOf(room, request);
          await auth.requestSignIn(text, source);
          rememberAsker(reply, room, source);
          return codeForm(room, request, reply, { kind: 'sign_in', email: text });
        },
        (problem) => show(request, reply, request.body.email, problem),
      ),
  );
};

/** Behind the half-way door: the second factor of a login. */
export const factorPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages, rememberedDeviceDays: days } = room;

  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    refused?: PromptForm['refused'],
  ): Promise<FastifyReply> => {
    const say = pages.speak(request);
    const pending = pendingLoginOf(request);
    const next = returnTo(room, request);
    if (pending.kind === 'enrolment') return goOn(reply, addressOf(paths.setUp, { return_to: next }));
    const names = await auth.factorsOf(pending.userId);
    const body = html`<p>${say('page.factor.what')}</p>
      !${promptsFor(say, room.prompts, names, {
        action: paths.factor,
        occasion: 'second_factor',
        hidden: html`!${formToken(room, pending.id)} !${hidden('return_to', next)}`,
        refused,
        ...(days > 0 && {
          below: html`<label class="choice">
            <input type="checkbox" name="remember_device" value="true" />
            ${say('page.factor.remember', { days })}
          </label>`,
        }),
      })}
      <p class="links">
        <a href="${addressOf(paths.signIn, { return_to: next })}">${say('page.factor.other')}</a>
      </p>`;
    return pages.send(request, reply, { title: say('page.factor.title'), body });
  };

  scope.get(
    paths.factor,
    { schema: { summary: 'Page: give the second factor', querystring: PageQuery } },
    async (request, reply) => show(request, reply),
  );

  scope.post(
    paths.factor,
    {
      config: costing(hashCost),
      schema: { summary: 'Page: completes a login with the second factor', body: FactorForm },
    },
    async (request, reply) => {
      const { factor, proof, remember_device: wish, form_token: token } = request.body;
      const pending = pendingLoginOf(request);
      requireForm(room, pending.id, token);
      return orAgain(
        reply,
        async () => {
          const given = { factor, proof, remembersDevice: wish === 'true' };
          const { login } = await auth.admissions.complete(pending, given, sourceOf(request, room));
          sendLogin(reply, room, login);
          void reply.header('set-cookie', room.pendingCookie.clear());
          return goOn(reply, afterLogin(login, returnTo(room, request)));
        },
        (problem) =>
          show(request, reply, { factor, text: pages.speak(request)(`page.problem.${problem.code}`) }),
      );
    },
  );
};

/** Behind the member door: proving once more that it is you, and signing out. */
export const stepUpPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages } = room;

  /** Names of the factors of which one is needed; `undefined` when one was given a short while ago. */
  const owed = async (session: Session): Promise<readonly string[] | undefined> => {
    try {
      await auth.stepUps.requireRecent(session);
      return undefined;
    } catch (error) {
      if (!isProblem(error, 'step_up_required')) throw error;
      return error.demand?.factors ?? [];
    }
  };

  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    refused?: PromptForm['refused'],
  ): Promise<FastifyReply> => {
    const say = pages.speak(request);
    const session = sessionOf(request);
    const next = returnTo(room, request) ?? paths.account;
    const names = await owed(session);
    if (names === undefined) return goOn(reply, next);
    // Whoever has neither password nor factor signs in anew by mail.
    const body = names.includes('email')
      ? html`<p>${say('page.step_up.by_mail')}</p>
          <form method="post" action="/sign-out">
            !${formToken(room, session.id)}
            <button>${say('page.sign_out.act')}</button>
          </form>`
      : html`<p>${say('page.step_up.what')}</p>
          !${promptsFor(say, room.prompts, names, {
            action: paths.stepUp,
            occasion: 'step_up',
            hidden: html`!${formToken(room, session.id)} !${hidden('return_to', next)}
            !${
              names.includes('password')
                ? html`<input
                    type="text"
                    name="username"
                    value="${session.email}"
                    autocomplete="username"
                    hidden
                    readonly
                  />`
                : ''
            }`,
            refused,
          })}`;
    return pages.send(request, reply, { title: say('page.step_up.title'), body });
  };

  scope.get(
    paths.stepUp,
    { schema: { summary: 'Page: prove once more that it is you', querystring: PageQuery } },
    async (request, reply) => show(request, reply),
  );

  scope.post(
    paths.stepUp,
    {
      config: costing(hashCost),
      schema: { summary: 'Page: notes a factor that is given once more', body: FactorForm },
    },
    async (request, reply) => {
      const { factor, proof, form_token: token } = request.body;
      const session = sessionOf(request);
      requireForm(room, session.id, token);
      return orAgain(
        reply,
        async () => {
          const risen = await auth.stepUps.give(session, { factor, proof }, sourceOf(request, room));
          sendLogin(reply, room, { token: risen, deviceToken: undefined });
          return goOn(reply, returnTo(room, request) ?? paths.account);
        },
        (problem) =>
          show(request, reply, { factor, text: pages.speak(request)(`page.problem.${problem.code}`) }),
      );
    },
  );

  scope.get(
    '/sign-out',
    { schema: { summary: 'Page: sign out', querystring: PageQuery } },
    async (request, reply) => {
      const say = pages.speak(request);
      const body = html`<p>${say('page.sign_out.what', { email: sessionOf(request).email })}</p>
        <form method="post" action="/sign-out">
          !${formToken(room, sessionOf(request).id)} !${hidden('return_to', returnTo(room, request))}
          <button>${say('page.sign_out.act')}</button>
        </form>`;
      return pages.send(request, reply, { title: say('page.sign_out.title'), body });
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
      return goOn(reply, returnTo(room, request) ?? addressOf(paths.signIn, { done: 'signed_out' }));
    },
  );
};
