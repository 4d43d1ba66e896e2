// Pages that ask for a factor: to complete a login, and before sensitive actions (step-up).
import { html } from 'ghtml';
import Type from 'typebox';
import { isProblem } from '../../kit/problem.ts';
import { addressOf, hidden } from '../../http/markup.ts';
import { hashCost } from '../../http/fields.ts';
import { costing } from '../../http/limits.ts';
import {
  renderParts,
  sectionList,
  type AccountSection,
  type SectionPart,
} from '../../page/account-section.ts';
import { Elsewhere, form, formPage, type PageRoutes, type Visit } from '../../page/form-page.ts';
import { isNothingGiven, problemText } from '../../page/form.ts';
import { credentialField, formField, requireGiven, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { promptsFor, type FactorPrompt, type PromptForm } from '../factor/prompt.ts';
import type { SecondFactors } from '../factor/second-factor.ts';
import type { BrowserCookies } from '../guard.ts';
import { sessionOf } from '../session/guard.ts';
import type { Session } from '../session/session-entry.ts';
import { afterPasswordLogin, pendingAuthenticationOf, sendLogin } from './guard.ts';
import type { SignIn } from './sign-in.ts';
import type { AuthenticationDemand, StepUp } from './step-up.ts';

/** Fields of a form that asks for a factor. */
const proofFields = { factor: formField, proof: credentialField };

/** Returns the prompt that was refused, with the reason. */
function rejectedOf({ t, refusal, typed }: Visit, prompts: readonly FactorPrompt[]): PromptForm['rejected'] {
  if (refusal === undefined) return undefined;
  const { problem } = refusal;
  const factor = typed('factor');
  const hasField = prompts.some((prompt) => prompt.factor === factor && prompt.script === undefined);
  const text = hasField && isNothingGiven(problem) ? t('page.fault.empty') : problemText(t, problem);
  return { factor, text };
}

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
}): PageRoutes['routes'] {
  return formPage<readonly string[]>(pages, {
    path: paths.factor,
    summary: 'Page: asks for the second factor',
    title: 'page.factor.title',
    subject: (request) => pendingAuthenticationOf(request).id,
    showsRefusal: true,
    load: async ({ request, next }) => {
      const pending = pendingAuthenticationOf(request);
      return pending.kind === 'enrollment'
        ? new Elsewhere(addressOf(paths.setUp, { return_to: next }))
        : secondFactors.namesOf(pending.userId);
    },
    body: async (visit, names) => {
      const { t, request, inputs, next } = visit;
      return html`<p class="who">${pendingAuthenticationOf(request).email}</p>
        <p>${t('page.factor.what')}</p>
        !${promptsFor(t, prompts, names, {
          action: paths.factor,
          purpose: 'second_factor',
          hidden: html`!${inputs} !${pages.offers.input(request)}`,
          rejected: rejectedOf(visit, prompts),
          below: await renderParts(parts, 'factor', request),
        })}
        <p class="links">
          <a href="${addressOf(paths.signIn, { return_to: next })}">${t('page.factor.other')}</a>
        </p>`;
    },
    forms: [
      form({
        summary: 'Page: completes a login with the second factor',
        config: costing(hashCost),
        fields: Type.Object({
          ...proofFields,
          remember_device: Type.Optional(formField),
          offer: Type.Optional(formField),
        }),
        keeps: ['factor'],
        submit: async ({ factor, proof, remember_device: remember, offer }, visit) => {
          const { request, reply } = visit;
          requireGiven('proof', proof);
          const given = { factor, proof, remembersDevice: remember === 'true' };
          const { login } = await signIn.complete(pendingAuthenticationOf(request), given, {
            ...request.source,
            opensClosed: true,
          });
          sendLogin(reply, cookies, login);
          cookies.clearPending(reply);
          return afterPasswordLogin(pages, login, visit, offer);
        },
      }),
    ],
  }).routes;
}

/** What an application demands of a session, in the address of the step-up page. */
const DemandQuery = Type.Object({
  factor: Type.Optional(formField),
  max_age: Type.Optional(formField),
  since: Type.Optional(formField),
});

/** The step-up page, at the access level `session`. */
export function stepUpPages({
  pages,
  cookies,
  stepUp,
  prompts,
  enrollments,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly stepUp: StepUp;
  /** How each authenticator is asked for. */
  readonly prompts: readonly FactorPrompt[];
  /** Pages that enroll an authenticator. */
  readonly enrollments: readonly AccountSection[];
}): PageRoutes['routes'] {
  return formPage<readonly string[]>(pages, {
    path: paths.stepUp,
    query: DemandQuery,
    summary: 'Page: asks for a factor again (step-up)',
    title: 'page.step_up.title',
    subject: (request) => sessionOf(request).id,
    showsRefusal: true,
    load: async ({ request, query, next }) =>
      (await requiredFactors(stepUp, sessionOf(request), query)) ?? new Elsewhere(next ?? paths.account),
    body: (visit, names) => {
      const { t, request, query, inputs, next } = visit;
      if (names.length === 0)
        return html`<p>${t('page.step_up.enroll')}</p>
          !${sectionList(t, enrollments, next)}`;
      // A user with neither password nor second factor signs in again by mail.
      if (names.includes('email'))
        return html`<p>${t('page.step_up.by_mail')}</p>
          <form method="post" action="/sign-out">!${inputs}<button>${t('page.sign_out.act')}</button></form>`;
      const account = names.includes('password')
        ? html`<input
            type="text"
            name="username"
            value="${sessionOf(request).email}"
            autocomplete="username"
            hidden
            readonly
          />`
        : '';
      return html`<p>${t('page.step_up.what')}</p>
        !${promptsFor(t, prompts, names, {
          action: paths.stepUp,
          purpose: 'step_up',
          hidden: html`!${inputs} !${hidden('required', query['factor'])}
          !${hidden('max_age', query['max_age'])} !${hidden('since', query['since'])} !${account}`,
          rejected: rejectedOf(visit, prompts),
        })}`;
    },
    forms: [
      form({
        summary: 'Page: verifies a factor for step-up',
        config: costing(hashCost),
        fields: Type.Object({
          ...proofFields,
          required: Type.Optional(formField),
          max_age: Type.Optional(formField),
          since: Type.Optional(formField),
        }),
        keeps: ['factor'],
        // The page of a refusal asks for the same factors again.
        back: ({ required, ...fields }, { next }) => {
          const { factor, max_age, since } = pages.queries.parse({ ...fields, factor: required });
          return addressOf(paths.stepUp, { return_to: next, factor, max_age, since });
        },
        submit: async ({ factor, proof }, { request, reply, next }) => {
          requireGiven('proof', proof);
          const elevated = await stepUp.give(sessionOf(request), { factor, proof }, request.source);
          cookies.renewSession(request, reply, elevated);
          return next ?? paths.account;
        },
      }),
    ],
  }).routes;
}

/** Returns what a link to the step-up page demands; `undefined` for what sensitive actions of the account require. */
function demandOf({ factor, max_age: maxAge, since }: Visit['query']): AuthenticationDemand | undefined {
  if (factor === undefined && maxAge === undefined && since === undefined) return undefined;
  return { factor, maxAgeSeconds: numberOf(maxAge), since: numberOf(since) };
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/** Returns the names of the factors of which one is required; `undefined` if the session has a recent one. */
async function requiredFactors(
  stepUp: StepUp,
  session: Session,
  query: Visit['query'],
): Promise<readonly string[] | undefined> {
  try {
    await stepUp.requireRecent(session, demandOf(query));
    return undefined;
  } catch (error) {
    if (!isProblem(error, 'step_up_required')) throw error;
    return error.demand?.factors ?? [];
  }
}
