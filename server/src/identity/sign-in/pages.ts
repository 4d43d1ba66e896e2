// Pages that ask for a factor: to complete a login, and before sensitive actions (step-up).
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { isProblem } from '../../kit/problem.ts';
import { addressOf, hidden } from '../../http/markup.ts';
import { hashCost } from '../../http/fields.ts';
import { promptsFor, type FactorPrompt, type PromptForm } from '../factor/prompt.ts';
import {
  seeOther,
  rerenderOnProblem,
  credentialField,
  formField,
  PageQuery,
  type PageKit,
} from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { renderParts, type SectionPart } from '../../page/account-section.ts';
import type { BrowserCookies } from '../guard.ts';
import { sessionOf } from '../session/guard.ts';
import { pendingAuthenticationOf, sendLogin, afterLogin } from './guard.ts';
import { costing } from '../../http/limits.ts';
import type { SignIn } from './sign-in.ts';
import type { Session } from '../session/session-entry.ts';
import type { StepUp } from './step-up.ts';
import type { SecondFactors } from '../factor/second-factor.ts';

const FactorForm = Type.Object({
  factor: formField,
  proof: credentialField,
  remember_device: Type.Optional(formField),
  return_to: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

/** The page of the second factor, at the access level `pending`. */
export function factorPages({
  pages,
  cookies,
  signIn,
  secondFactors,
  prompts,
  parts,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly signIn: SignIn;
  readonly secondFactors: SecondFactors;
  /** How each authenticator is asked for. */
  readonly prompts: readonly FactorPrompt[];
  /** Controls of other modules, shown below the prompt. */
  readonly parts: readonly SectionPart[];
}): FastifyPluginAsyncTypebox {
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    rejected?: PromptForm['rejected'],
  ): Promise<FastifyReply> => {
    const t = pages.translate(request);
    const pending = pendingAuthenticationOf(request);
    const next = pages.returnTo(request);
    if (pending.kind === 'enrollment') return seeOther(reply, addressOf(paths.setUp, { return_to: next }));
    const names = await secondFactors.namesOf(pending.userId);
    const body = html`<p>${t('page.factor.what')}</p>
      !${promptsFor(t, prompts, names, {
        action: paths.factor,
        purpose: 'second_factor',
        hidden: html`!${pages.formToken(pending.id)} !${hidden('return_to', next)}`,
        rejected,
        below: await renderParts(parts, 'factor', request),
      })}
      <p class="links">
        <a href="${addressOf(paths.signIn, { return_to: next })}">${t('page.factor.other')}</a>
      </p>`;
    return pages.send(request, reply, { title: t('page.factor.title'), body });
  };

  return async (scope) => {
    scope.get(
      paths.factor,
      { schema: { summary: 'Page: asks for the second factor', querystring: PageQuery } },
      async (request, reply) => show(request, reply),
    );

    scope.post(
      paths.factor,
      {
        config: costing(hashCost),
        schema: { summary: 'Page: completes a login with the second factor', body: FactorForm },
      },
      async (request, reply) => {
        const { factor, proof, remember_device: remember, form_token: token } = request.body;
        const pending = pendingAuthenticationOf(request);
        pages.requireForm(pending.id, token);
        return rerenderOnProblem(
          reply,
          async () => {
            const given = { factor, proof, remembersDevice: remember === 'true' };
            const { login } = await signIn.complete(pending, given, request.source);
            sendLogin(reply, cookies, login);
            cookies.clearPending(reply);
            return seeOther(reply, afterLogin(login, pages.returnTo(request)));
          },
          (problem) =>
            show(request, reply, { factor, text: pages.translate(request)(`page.problem.${problem.code}`) }),
        );
      },
    );
  };
}

/** The step-up page, at the access level `session`. */
export function stepUpPages({
  pages,
  cookies,
  stepUp,
  prompts,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly stepUp: StepUp;
  /** How each authenticator is asked for. */
  readonly prompts: readonly FactorPrompt[];
}): FastifyPluginAsyncTypebox {
  /** Returns the names of the factors of which one is required; `undefined` if the session has a recent one. */
  const requiredFactors = async (session: Session): Promise<readonly string[] | undefined> => {
    try {
      await stepUp.requireRecent(session);
      return undefined;
    } catch (error) {
      if (!isProblem(error, 'step_up_required')) throw error;
      return error.demand?.factors ?? [];
    }
  };

  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    rejected?: PromptForm['rejected'],
  ): Promise<FastifyReply> => {
    const t = pages.translate(request);
    const session = sessionOf(request);
    const next = pages.returnTo(request) ?? paths.account;
    const names = await requiredFactors(session);
    if (names === undefined) return seeOther(reply, next);
    // A user with neither password nor second factor signs in again by mail.
    const body = names.includes('email')
      ? html`<p>${t('page.step_up.by_mail')}</p>
          <form method="post" action="/sign-out">
            !${pages.formToken(session.id)}
            <button>${t('page.sign_out.act')}</button>
          </form>`
      : html`<p>${t('page.step_up.what')}</p>
          !${promptsFor(t, prompts, names, {
            action: paths.stepUp,
            purpose: 'step_up',
            hidden: html`!${pages.formToken(session.id)} !${hidden('return_to', next)}
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
            rejected,
          })}`;
    return pages.send(request, reply, { title: t('page.step_up.title'), body });
  };

  return async (scope) => {
    scope.get(
      paths.stepUp,
      { schema: { summary: 'Page: asks for a factor again (step-up)', querystring: PageQuery } },
      async (request, reply) => show(request, reply),
    );

    scope.post(
      paths.stepUp,
      {
        config: costing(hashCost),
        schema: { summary: 'Page: verifies a factor for step-up', body: FactorForm },
      },
      async (request, reply) => {
        const { factor, proof, form_token: token } = request.body;
        const session = sessionOf(request);
        pages.requireForm(session.id, token);
        return rerenderOnProblem(
          reply,
          async () => {
            const elevated = await stepUp.give(session, { factor, proof }, request.source);
            sendLogin(reply, cookies, { token: elevated, deviceToken: undefined });
            return seeOther(reply, pages.returnTo(request) ?? paths.account);
          },
          (problem) =>
            show(request, reply, { factor, text: pages.translate(request)(`page.problem.${problem.code}`) }),
        );
      },
    );
  };
}
