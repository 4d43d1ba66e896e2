// Requests another email address for the account of the signed-in user.
import { html } from 'ghtml';
import Type from 'typebox';
import { addressOf, field } from '../../http/markup.ts';
import { hashing, mailCost } from '../../http/limit/limits.ts';
import { requireEmailAddress } from '../../user/email-address.ts';
import type { AccountSection } from '../../page/account-section.ts';
import { currentPasswordField, faultOf } from '../../page/form.ts';
import { form, formPage, type PageRoutes } from '../../page/form-page.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { initiatingSourceOf, type BrowserCookies } from '../../identity/browser-cookies.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import type { Sessions } from '../../identity/session/session.ts';
import type { StepUp } from '../../identity/step-up/step-up.ts';
import type { TokenPage } from '../../identity/token/page-parts.ts';
import { emailChangeKind, emailUndoKind, type EmailChange } from './email-change.ts';

export const addressSection = {
  path: '/account/address',
  name: 'address',
  icon: 'mail',
  group: 'sign_in',
} as const satisfies AccountSection;

/** The page that requests the change. Its form continues with the page for the code. */
export function emailChangePages({
  pages,
  cookies,
  sessions,
  stepUp,
  emailChange,
}: {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly sessions: Sessions;
  readonly stepUp: StepUp;
  readonly emailChange: EmailChange;
}): PageRoutes['routes'] {
  const { path } = addressSection;
  return formPage<{ hasPassword: boolean; pending: string | undefined }>(pages, {
    path,
    summary: 'Page: your address',
    title: 'page.address.title',
    layout: 'account',
    subject: (request) => sessionOf(request).id,
    done: { changed: 'page.email_change.done' },
    shows: ['email', 'password'],
    load: async ({ request }) => {
      const session = sessionOf(request);
      const { hashedPassword } = await sessions.userOf(session);
      // Checked before the form is filled in: the last authentication may be too old.
      if (hashedPassword === null) await stepUp.requireRecent(session);
      else await stepUp.requireRecentSecond(session);
      return { hasPassword: hashedPassword !== null, pending: await emailChange.pendingFor(session) };
    },
    body: ({ t, request, inputs, refusal, typed }, { hasPassword, pending }) => {
      const { email } = sessionOf(request);
      const { codePath } = emailChangeKind.page;
      // Only the browser that requested the change can redeem the code.
      const isAskedHere = cookies.requested.read(request.headers.cookie, emailChangeKind)?.email === pending;
      const code = isAskedHere ? html`<a href="${codePath}">${t('page.address.code')}</a>` : '';
      return html`<p>${t('page.address.what', { email })}</p>
        !${pending === undefined ? '' : html`<p class="notice">${t('page.address.pending', { email: pending })} !${code}</p>`}
        <form method="post" action="${path}">
          !${inputs}
          <input type="text" name="username" value="${email}" autocomplete="username" hidden readonly />
          !${field({
            name: 'email',
            label: t('page.field.new_email'),
            type: 'email',
            value: typed('email'),
            autocomplete: 'email',
            fault: faultOf(t, refusal?.problem, 'email'),
          })}
          !${
            hasPassword
              ? currentPasswordField(t, {
                  name: 'password',
                  label: t('page.field.current_password'),
                  fault: faultOf(t, refusal?.problem, 'password'),
                  email,
                })
              : ''
          }
          <button>${t('page.address.act')}</button>
        </form>`;
    },
    forms: [
      form({
        summary: 'Page: requests a change of the address',
        config: hashing(mailCost),
        fields: Type.Object({ email: formField, password: Type.Optional(formField) }),
        keeps: ['email'],
        submit: async ({ email, password }, { request, reply }) => {
          const source = initiatingSourceOf(request);
          const address = requireEmailAddress(email);
          await emailChange.request(sessionOf(request), { address, password }, source);
          cookies.setRequest(reply, source);
          const asked = { email: address.text, endsWithBrowser: false };
          cookies.requested.leave(reply, request.headers.cookie, emailChangeKind, asked);
          return emailChangeKind.page.codePath ?? path;
        },
      }),
    ],
  }).routes;
}

/** The pages that redeem the token of the new address, in a session of the account. */
export function changePage({
  cookies,
  emailChange,
}: {
  readonly cookies: BrowserCookies;
  readonly emailChange: EmailChange;
}): TokenPage {
  return {
    kind: emailChangeKind,
    async redeem({ token }, { request, reply }) {
      const { session } = request;
      // Without a session, the user signs in and returns to the link.
      if (session === null)
        return addressOf(paths.signIn, { return_to: addressOf(emailChangeKind.page.path, { token }) });
      const { renewed } = await emailChange.redeem(session, token, request.source);
      cookies.renewSession(request, reply, renewed);
      return addressOf(addressSection.path, { done: 'changed' });
    },
  };
}

/** The page that restores the old address. */
export function undoPage(emailChange: EmailChange): TokenPage {
  return {
    kind: emailUndoKind,
    async redeem({ token }, { request }) {
      await emailChange.undo(token, request.source);
      return undefined;
    },
  };
}
