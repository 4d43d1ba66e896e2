// Pages that confirm an address and request another confirmation mail. The browser that registered is signed in
// immediately; another one is asked for the password of the registration, or for a new one.
import { html } from 'ghtml';
import { addressOf, field, hidden } from '../../http/markup.ts';
import { newPasswordField, refusalOf } from '../../page/form.ts';
import type { PageRoutes, Visit } from '../../page/form-page.ts';
import type { PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { verificationKind, type EmailVerification } from '../account/verification.ts';
import { afterLogin, sendPageLogin } from '../sign-in/guard.ts';
import type { SignIn } from '../sign-in/sign-in.ts';
import {
  accountField,
  addressOfAccount,
  type MoreForm,
  type TokenPage,
  type TokenPageParts,
} from '../token/page-parts.ts';
import { requestPage } from '../token/request-page.ts';

export interface ConfirmPageParts extends TokenPageParts {
  readonly emailVerification: EmailVerification;
  readonly signIn: SignIn;
}

/**
 * The pages that confirm the address. They sign in the browser that registered the account; others continue with the
 * sign-in page, and also one in which another account is signed in: that page asks which one to continue with.
 */
export function confirmPage({ pages, cookies, emailVerification, signIn }: ConfirmPageParts): TokenPage {
  return {
    kind: verificationKind,
    request: (email, source) => emailVerification.request(email, source),
    askMore: (visit, form) => proofForms(pages, visit, form),
    async redeem(fields, { request, reply }) {
      const address = addressOfAccount(fields);
      const { token, password, new_password: newPassword } = fields;
      const { source, session } = request;
      const proof = { password, newPassword };
      const { user, registeredBy } = await emailVerification.redeem(address, token, source, proof);
      const next = pages.returnTo(request);
      if (registeredBy !== undefined && session === null) {
        const login = await signIn.admitVerified(user, { factor: 'email' }, source);
        if (login !== undefined) {
          sendPageLogin(reply, cookies, login, registeredBy);
          return afterLogin(login, next);
        }
      }
      return addressOf(paths.signIn, { done: 'confirmed', email: address.text, return_to: next });
    },
  };
}

/** Problems that the password of the registration or a new password solves. */
const provable: readonly string[] = ['password_required', 'same_browser_required', 'password_wrong'];

/** Returns the forms for another browser: for the password of the registration, and for a new password. */
function proofForms(pages: PageKit, visit: Visit, { action, email, token }: MoreForm): string | undefined {
  const { t, inputs, refusal, typed } = visit;
  const problem = refusal?.problem;
  if (problem === undefined) return undefined;
  const isAsked = typed('by') === 'proof';
  const isNewRejected = problem.fields.some(({ field: name }) => name === 'new_password');
  const isProvable = provable.includes(problem.code) || (problem.code === 'too_many_attempts' && isAsked);
  if (!isProvable && !isNewRejected) return undefined;
  const common = html`!${accountField(email)} !${hidden('token', token)} !${hidden('by', 'proof')} !${inputs}`;
  const hasPassword = problem.code !== 'same_browser_required';
  const what = t('page.confirm.elsewhere', { email });
  const known = html`!${problem.code === 'password_required' ? html`<p class="notice" tabindex="-1" autofocus>${what}</p>` : html`<p>${what}</p>`}
    <form method="post" action="${action}">
      !${common}
      !${field({
        name: 'password',
        label: t('page.field.password'),
        type: 'password',
        autocomplete: 'current-password',
      })}
      <button>${t('page.confirm.act')}</button>
    </form>`;
  const isOpen = !hasPassword || isNewRejected;
  return html`!${problem.code === 'password_required' ? '' : refusalOf(t, problem, ['new_password'])}
    !${hasPassword ? known : ''}
    <details !${isOpen ? 'open' : ''}>
      <summary>${t('page.confirm.unknown')}</summary>
      <p>${t('page.confirm.unknown_what')}</p>
      <form method="post" action="${action}">
        !${common} !${newPasswordField(pages, visit, 'new_password')}
        <button class="second">${t('page.confirm.unknown_act')}</button>
      </form>
    </details>`;
}

/** The page that requests another confirmation mail. */
export function confirmAgainPages({
  emailVerification,
  ...parts
}: TokenPageParts & { readonly emailVerification: EmailVerification }): PageRoutes {
  return requestPage(parts, {
    path: paths.confirmAgain,
    name: 'confirm_again',
    kind: verificationKind,
    request: (email, source) => emailVerification.request(email, source),
  });
}
