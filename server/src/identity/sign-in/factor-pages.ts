// Giving a second factor: to complete a login, and once more before something that matters.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { isProblem } from '../../kit/problem.ts';
import { costing } from '../../http/limits.ts';
import { addressOf, hidden } from '../../http/markup.ts';
import { hashCost } from '../../http/fields.ts';
import { promptsFor, type PromptForm } from '../factor/prompt.ts';
import { pendingAuthenticationOf, sendLogin, sessionOf, sourceOf } from './guard.ts';
import {
  afterLogin,
  formField,
  formToken,
  seeOther,
  rerenderOnProblem,
  PageQuery,
  paths,
  requireForm,
  returnTo,
  type PageRoom,
} from '../../page/page-guard.ts';
import type { Session } from '../session/session.ts';

const FactorForm = Type.Object({
  factor: formField,
  proof: formField,
  remember_device: Type.Optional(formField),
  return_to: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

/** Behind the half-way door: the second factor of a login. */
export const factorPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages, rememberedDeviceDays: days } = room;

  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    refused?: PromptForm['refused'],
  ): Promise<FastifyReply> => {
    const t = pages.speak(request);
    const pending = pendingAuthenticationOf(request);
    const next = returnTo(room, request);
    if (pending.kind === 'enrollment') return seeOther(reply, addressOf(paths.setUp, { return_to: next }));
    const names = await auth.factorsOf(pending.userId);
    const body = html`<p>${t('page.factor.what')}</p>
      !${promptsFor(t, room.prompts, names, {
        action: paths.factor,
        occasion: 'second_factor',
        hidden: html`!${formToken(room, pending.id)} !${hidden('return_to', next)}`,
        refused,
        ...(days > 0 && {
          below: html`<label class="choice">
            <input type="checkbox" name="remember_device" value="true" />
            ${t('page.factor.remember', { days })}
          </label>`,
        }),
      })}
      <p class="links">
        <a href="${addressOf(paths.signIn, { return_to: next })}">${t('page.factor.other')}</a>
      </p>`;
    return pages.send(request, reply, { title: t('page.factor.title'), body });
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
      const pending = pendingAuthenticationOf(request);
      requireForm(room, pending.id, token);
      return rerenderOnProblem(
        reply,
        async () => {
          const given = { factor, proof, remembersDevice: wish === 'true' };
          const { login } = await auth.signIn.complete(pending, given, sourceOf(request, room));
          sendLogin(reply, room, login);
          void reply.header('set-cookie', room.pendingCookie.clear());
          return seeOther(reply, afterLogin(login, returnTo(room, request)));
        },
        (problem) =>
          show(request, reply, { factor, text: pages.speak(request)(`page.problem.${problem.code}`) }),
      );
    },
  );
};

/** Behind the member door: proving once more that it is you. */
export const stepUpPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages } = room;

  /** Names of the factors of which one is needed; `undefined` when one was given a short while ago. */
  const owed = async (session: Session): Promise<readonly string[] | undefined> => {
    try {
      await auth.stepUp.requireRecent(session);
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
    const t = pages.speak(request);
    const session = sessionOf(request);
    const next = returnTo(room, request) ?? paths.account;
    const names = await owed(session);
    if (names === undefined) return seeOther(reply, next);
    // Whoever has neither password nor factor signs in anew by mail.
    const body = names.includes('email')
      ? html`<p>${t('page.step_up.by_mail')}</p>
          <form method="post" action="/sign-out">
            !${formToken(room, session.id)}
            <button>${t('page.sign_out.act')}</button>
          </form>`
      : html`<p>${t('page.step_up.what')}</p>
          !${promptsFor(t, room.prompts, names, {
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
    return pages.send(request, reply, { title: t('page.step_up.title'), body });
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
      return rerenderOnProblem(
        reply,
        async () => {
          const elevated = await auth.stepUp.give(session, { factor, proof }, sourceOf(request, room));
          sendLogin(reply, room, { token: elevated, deviceToken: undefined });
          return seeOther(reply, returnTo(room, request) ?? paths.account);
        },
        (problem) =>
          show(request, reply, { factor, text: pages.speak(request)(`page.problem.${problem.code}`) }),
      );
    },
  );
};
