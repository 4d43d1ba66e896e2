// The page that asks for a factor before sensitive actions (step-up).
import { html } from 'ghtml';
import Type from 'typebox';
import { isProblem } from '../../kit/problem.ts';
import { costing, hashCost } from '../../http/limit/limits.ts';
import { addressOf, hidden } from '../../http/markup.ts';
import { sectionList, type AccountSection } from '../../page/account-section.ts';
import { Redirect, form, formPage, type PageRoutes, type Visit } from '../../page/form-page.ts';
import { formField, requireGiven, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { promptFields, rejectedPrompt } from '../factor/given-factor.ts';
import { promptsFor, type FactorPrompt } from '../factor/prompt.ts';
import type { BrowserCookies } from '../browser-cookies.ts';
import { sessionOf } from '../session/guard.ts';
import type { Session } from '../session/session-entry.ts';
import type { AuthenticationRequirement, StepUp } from './step-up.ts';

/** What an application requires of a session, in the address of the step-up page. */
const RequirementQuery = Type.Object({
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
    query: RequirementQuery,
    summary: 'Page: asks for a factor again (step-up)',
    title: 'page.step_up.title',
    subject: (request) => sessionOf(request).id,
    showsRefusal: true,
    load: async ({ request, query, next }) =>
      (await requiredFactors(stepUp, sessionOf(request), query)) ?? new Redirect(next ?? paths.account),
    body: (visit, names) => {
      const { t, request, query, inputs, next } = visit;
      const { email } = sessionOf(request);
      const who = html`<p class="who">${email}</p>`;
      const other = html`<p class="links">
        <a href="${addressOf(paths.signOut, { return_to: next })}">${t('page.factor.other')}</a>
      </p>`;
      if (names.length === 0)
        return html`!${who}
          <p>${t('page.step_up.enroll')}</p>
          !${sectionList(t, enrollments, next)} !${other}`;
      // A user with neither password nor second factor signs in again by mail.
      if (names.includes('email'))
        return html`!${who}
          <p>${t('page.step_up.by_mail')}</p>
          <form method="post" action="${paths.signOut}">
            !${inputs}<button>${t('page.sign_out.act')}</button>
          </form>`;
      const account = names.includes('password')
        ? html`<input type="text" name="username" value="${email}" autocomplete="username" hidden readonly />`
        : '';
      return html`!${who}
        <p>${t('page.step_up.what')}</p>
        !${promptsFor(t, prompts, names, {
          account: { email, next },
          action: paths.stepUp,
          purpose: 'step_up',
          hidden: html`!${inputs} !${hidden('required', query['factor'])}
          !${hidden('max_age', query['max_age'])} !${hidden('since', query['since'])} !${account}`,
          rejected: rejectedPrompt(visit, prompts),
        })}
        !${other}`;
    },
    forms: [
      form({
        summary: 'Page: verifies a factor for step-up',
        config: costing(hashCost),
        fields: Type.Object({
          ...promptFields,
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

/** Returns what a link to the step-up page requires; `undefined` for what sensitive actions of the account require. */
function requirementOf({
  factor,
  max_age: maxAge,
  since,
}: Visit['query']): AuthenticationRequirement | undefined {
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
    await stepUp.requireRecent(session, requirementOf(query));
    return undefined;
  } catch (error) {
    if (!isProblem(error, 'step_up_required')) throw error;
    return error.requirement?.factors ?? [];
  }
}
