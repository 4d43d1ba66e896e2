// Renders the question of an authorization request.
import { html } from 'ghtml';
import { notice } from '../../../http/markup.ts';
import type { Visit } from '../../../page/form-page.ts';
import { placeOf } from '../../../page/exit.ts';
import { refusalOf } from '../../../page/form.ts';
import { accessItems } from './access-text.ts';
import type { Ended, Question } from './decision.ts';
import { loginLink } from './login-link.ts';

/** Returns the body of the page. @param issuer Origin of the service. */
export function questionBody(visit: Visit, question: Question | Ended, issuer: string): string {
  if (question.kind === 'ended') return endedBody(visit, question, issuer);
  const bodies = { consent: consentBody, account: accountBody, no_access: noAccessBody };
  return html`!${refusalOf(visit.t, visit.refusal?.problem, [])} !${bodies[question.kind](visit, question)}`;
}

/** Returns who asks, where the answer goes, and what for. Allowing and denying have the same weight. */
function consentBody(
  { t, inputs }: Visit,
  { request: { client, access, parameters }, session }: Question,
): string {
  const host = placeOf(String(parameters['redirect_uri']));
  return html`<p class="who">${session.email}</p>
    <p>${t('page.oidc.consent_what', { name: client.name, host })}</p>
    <ul class="scopes">
      !${accessItems(t, access)}
    </ul>
    <form method="post">
      !${inputs}
      <div class="pair">
        <button name="answer" value="allow" class="second">${t('page.oidc.allow')}</button>
        <button name="answer" value="deny" class="second">${t('page.oidc.deny')}</button>
      </div>
    </form>
    !${switchLink(t, inputs)}`;
}

/** Asks which account to continue with. */
function accountBody({ t, inputs }: Visit, { request: { client, reasons }, session }: Question): string {
  const isOther = reasons.some(
    (reason) => reason === 'id_token_hint' || reason === 'claims_id_token_sub_value',
  );
  const text = isOther ? 'page.oidc.account_other' : 'page.oidc.account_what';
  const continues = html`<form method="post">
    !${inputs}
    <button name="answer" value="continue">${t('page.sign_in.continue_as', { email: session.email })}</button>
  </form>`;
  return html`<p>${t(text, { email: session.email, name: client.name })}</p>
    !${isOther ? '' : continues} !${switchForm(t, inputs)} !${isOther ? backLink(t, inputs, client.name) : ''}`;
}

/** For a user who has no other account: back to the application, without a sign-in. */
function backLink(t: Visit['t'], inputs: string, name: string): string {
  return html`<form method="post" class="links">
    !${inputs}
    <button name="answer" value="deny">${t('page.oidc.back', { name })}</button>
  </form>`;
}

function noAccessBody({ t, inputs }: Visit, { request: { client }, session }: Question): string {
  return html`<p>${t('page.oidc.no_access_what', { email: session.email, name: client.name })}</p>
    <form method="post">
      !${inputs}
      <button name="answer" value="deny">${t('page.oidc.back', { name: client.name })}</button>
    </form>
    !${switchForm(t, inputs)}`;
}

/** As `switchForm`, below answers that must not be outweighed. */
function switchLink(t: Visit['t'], inputs: string): string {
  return html`<form method="post" class="links">
    !${inputs}
    <button name="answer" value="switch">${t('page.oidc.switch')}</button>
  </form>`;
}

function switchForm(t: Visit['t'], inputs: string): string {
  return html`<form method="post">
    !${inputs}
    <button name="answer" value="switch" class="second">${t('page.oidc.switch')}</button>
  </form>`;
}

/** The request was answered, or is too old: the application has to begin again. */
function endedBody(
  { t, refusal }: Visit,
  {
    request: {
      client: { name, initiateLoginUri },
    },
  }: Ended,
  issuer: string,
): string {
  const link = loginLink(initiateLoginUri, issuer);
  const what = t('page.oidc.ended_what', { name });
  return html`!${refusal === undefined ? html`<p>${what}</p>` : notice('fault', what)}
    !${link === undefined ? '' : html`<p><a class="button" href="${link}">${t('page.oidc.start_again', { name })}</a></p>`}
    <p class="links"><a href="/">${t('page.problem.home')}</a></p>`;
}
