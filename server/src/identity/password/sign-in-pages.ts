// The sign-in page: email and password, and the ways to sign in that modules add.
import { html } from 'ghtml';
import Type from 'typebox';
import { Problem } from '../../kit/problem.ts';
import { addressOf, hidden } from '../../http/markup.ts';
import { hashCost, hashing } from '../../http/limit/limits.ts';
import { requireEmailAddress, toEmailAddress } from '../../user/email-address.ts';
import type { SignedIn } from '../../page/account-section.ts';
import { currentPasswordField, emailField, emailOf, tickedBox } from '../../page/form.ts';
import { Redirect, form, formPage, type PageRoutes, type Visit } from '../../page/form-page.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { markOf, renderWays, type SignInWay } from '../../page/sign-in-way.ts';
import type { BrowserCookies } from '../browser-cookies.ts';
import { afterPasswordLogin, sendPageLogin, signInSourceOf, stayField } from '../sign-in/guard.ts';
import type { PasswordLogin } from './login.ts';
import '../session/problem.ts';

export interface SignInPageParts {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly passwordLogin: PasswordLogin;
  readonly ways: readonly SignInWay[];
  /** True if users must confirm their address: the page then links to the request for another confirmation mail. */
  readonly emailConfirmation: boolean;
}

/** Name of this way in the cookie of the way that was used last. */
const way = 'password';

/**
 * The page. It is at the access level `optional`, because it redirects users who are signed in; its form at `open`: a
 * session of the browser is not looked up before the password.
 */
export function signInPages({
  pages,
  cookies,
  passwordLogin,
  ways,
  emailConfirmation,
}: SignInPageParts): PageRoutes {
  return formPage<{ readonly session: SignedIn | null }>(pages, {
    path: paths.signIn,
    summary: 'Page: sign in',
    title: ({ t }) => t('page.sign_in.heading', { product: pages.productName }),
    done: {
      password: 'page.reset.done',
      confirmed: 'page.confirm.done',
      signed_out: 'page.sign_out.done',
    },
    notDone: {
      over: 'page.sign_in.signed_out',
      late: 'page.problem.pending_authentication_required',
    },
    shows: ['email'],
    subject: ({ session }) => session?.id,
    load: ({ request: { session }, query, next }) =>
      session === null || isForOther(query, session) ? { session } : new Redirect(next ?? paths.account),
    body: (visit, { session }) => {
      if (session !== null) return chooseAccount(visit, session);
      const { t, request, inputs, next, refusal } = visit;
      const lastUsed = ways.length === 0 ? undefined : cookies.lastWay(request);
      const mark = markOf(t, way, lastUsed);
      const email = emailOf(visit);
      const known = { email: email === '' ? undefined : email, return_to: next };
      return html`<form method="post" action="${paths.signIn}" id="sign-in">
          !${inputs} !${emailField(visit, 'username webauthn')}
          !${currentPasswordField(t, { name: 'password', email, next })}
          !${tickedBox(visit, 'stay', t('page.sign_in.stay'))} !${pages.offers.input(request)}
          <button !${mark.attribute}>${t('page.sign_in.act')} !${mark.badge}</button>
        </form>
        !${renderWays(t, ways, request, { next, lastUsed })}
        !${
          emailConfirmation && refusal !== undefined
            ? html`<p class="center">
                <a href="${addressOf(paths.confirmAgain, known)}">${t('page.sign_in.confirm')}</a>
              </p>`
            : ''
        }
        !${
          pages.isSignUpOpen
            ? html`<p class="center">
                ${t('page.sign_in.new', { product: pages.productName })}
                <a href="${addressOf(paths.signUp, known)}">${t('page.sign_in.sign_up')}</a>
              </p>`
            : ''
        }`;
    },
    forms: [
      form({
        summary: 'Page: signs in',
        config: hashing(hashCost),
        fields: Type.Object({
          email: formField,
          password: Type.Optional(formField),
          stay: stayField,
          offer: Type.Optional(formField),
        }),
        keeps: ['email', 'stay'],
        submit: async ({ email, password = '', stay, offer }, visit) => {
          const { request, reply } = visit;
          const address = requireEmailAddress(email);
          const login = await passwordLogin.logIn(address, password, signInSourceOf(request, stay));
          if (login === undefined) throw new Problem('invalid_credentials');
          sendPageLogin(reply, cookies, login, way);
          return afterPasswordLogin(pages, login, visit, offer);
        },
      }),
    ],
  });
}

/** Returns whether the page was opened for another account than the one that is signed in. */
function isForOther({ email = '' }: Visit['query'], session: SignedIn): boolean {
  const address = toEmailAddress(email);
  return address !== undefined && address.key !== toEmailAddress(session.email)?.key;
}

/** Asks which account to continue with: a link of one account was opened where another one is signed in. */
function chooseAccount({ t, query, token, next }: Visit, { email }: SignedIn): string {
  const other = toEmailAddress(query.email ?? '')?.text ?? '';
  const back = addressOf(paths.signIn, { email: other, return_to: next });
  return html`<p>${t('page.sign_in.other_account', { email, other })}</p>
    <p><a class="button" href="${next ?? paths.account}">${t('page.sign_in.continue_as', { email })}</a></p>
    <form method="post" action="${paths.signOut}">
      !${token} !${hidden('return_to', back)}
      <button class="second">${t('page.sign_in.switch_to', { email: other })}</button>
    </form>`;
}
