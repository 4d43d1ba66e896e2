// Registers the module of passwords: sign-in and registration by password, change and reset.
import { identityModule, type RouteSet } from '../../module.ts';
import { passwordEvents, resetPasswordMail } from './event.ts';
import { passwordPrompt } from '../factor/prompt.ts';
import type { PageRoutes } from '../../page/form-page.ts';
import { tokenPages } from '../token/pages.ts';
import { withTimes } from '../../page/time.ts';
import { Blocklist } from './blocklist.ts';
import { confirmAgainPages, confirmPage } from './confirm-pages.ts';
import { changePasswordPages, forgotPages, passwordPages, passwordSection, resetPage } from './pages.ts';
import { passwordLoginRoutes, passwordResetRoutes, passwordRoutes } from './routes.ts';
import { signInPages } from './sign-in-pages.ts';
import { passwordCheckPages, signUpPages } from './sign-up-pages.ts';
import { checkPasswordOptions, passwordOptions } from './options.ts';

/** A page for visitors recognizes a user who is signed in. Its form looks up no session before the password. */
function forVisitors({ show, submit }: PageRoutes): readonly RouteSet[] {
  return [
    { access: 'optional', pages: show },
    { access: 'open', pages: submit },
  ];
}

export const password = identityModule({
  name: 'password',
  title: 'Passwords',
  options: passwordOptions,
  check: checkPasswordOptions,
  events: passwordEvents,
  mails: [resetPasswordMail],
  build: ({ accounts, cookies, pages, plugs, sessions, stepUp, ...rules }, options) => {
    const { emailVerification, passwordLogin, passwordReset, passwordChange } = rules;
    const { emailConfirmation, resetTokenBy, passwordMinLength: minLength, productName, publicUrl } = options;
    const { signInWays: ways, signUpWays } = plugs;
    const signIn = signInPages({ pages, cookies, passwordLogin, ways, emailConfirmation });
    const signUp = { pages, cookies, accounts, passwordLogin, policy: options, ways: signUpWays };
    const confirm = { pages, cookies, emailVerification, signIn: rules.signIn };
    const confirmation: readonly RouteSet[] = [
      ...forVisitors(confirmAgainPages(confirm)),
      { access: 'optional', pages: tokenPages(confirm, confirmPage(confirm)) },
    ];
    const names = ['Bienvenue', productName, publicUrl?.hostname ?? ''];
    return {
      routes: [
        { access: 'open', json: passwordLoginRoutes({ cookies, passwordLogin }) },
        { access: 'open', json: passwordResetRoutes({ cookies, passwordReset, resetTokenBy }) },
        { access: 'session', json: passwordRoutes({ cookies, passwordChange }) },
        ...forVisitors(signIn),
        ...forVisitors(signUpPages(signUp)),
        { access: 'open', pages: passwordCheckPages({ pages, accounts }) },
        ...forVisitors(forgotPages({ pages, cookies, passwordReset })),
        { access: 'optional', pages: tokenPages({ pages, cookies }, resetPage(pages, passwordReset)) },
        { access: 'open', pages: changePasswordPages() },
        { access: 'session', pages: passwordPages({ pages, cookies, sessions, stepUp, passwordChange }) },
        ...(emailConfirmation ? confirmation : []),
      ],
      account: [
        {
          ...passwordSection,
          state: async (session, t) => {
            const { hashedPassword, passwordChangedAt: changed } = await sessions.userOf(session);
            if (hashedPassword === null) return { text: t('page.password.not_set') };
            return { text: withTimes(t, 'page.password.changed_at', { changed }, 'ago') };
          },
        },
      ],
      prompts: [passwordPrompt],
      passwordChecks: options.passwordBlocklist ? [new Blocklist({ minLength, names })] : [],
    };
  },
});
