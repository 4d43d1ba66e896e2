// The page that asks for the second factor of a login.
import { html } from 'ghtml';
import Type from 'typebox';
import { addressOf } from '../../http/markup.ts';
import { costing, hashCost } from '../../http/limit/limits.ts';
import { renderParts, type SectionPart } from '../../page/account-section.ts';
import { Redirect, form, formPage, type PageRoutes } from '../../page/form-page.ts';
import { formField, requireGiven, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { promptFields, rejectedPrompt } from '../factor/given-factor.ts';
import { promptsFor, type FactorPrompt } from '../factor/prompt.ts';
import type { SecondFactors } from '../factor/second-factor.ts';
import type { BrowserCookies } from '../browser-cookies.ts';
import { afterPasswordLogin, pendingAuthenticationOf, sendLogin } from './guard.ts';
import type { SignIn } from './sign-in.ts';

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
        ? new Redirect(addressOf(paths.setUp, { return_to: next }))
        : secondFactors.usableOf(pending.userId);
    },
    body: async (visit, names) => {
      const { t, request, inputs, next } = visit;
      return html`<p class="who">${pendingAuthenticationOf(request).email}</p>
        <p>${t('page.factor.what')}</p>
        !${promptsFor(t, prompts, names, {
          account: { email: pendingAuthenticationOf(request).email, next },
          action: paths.factor,
          purpose: 'second_factor',
          hidden: html`!${inputs} !${pages.offers.input(request)}`,
          rejected: rejectedPrompt(visit, prompts),
          below: await renderParts(parts, 'factor', visit),
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
          ...promptFields,
          remember_device: Type.Optional(formField),
          offer: Type.Optional(formField),
        }),
        keeps: ['factor', 'remember_device'],
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
