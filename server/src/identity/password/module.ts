// Registers the module of passwords: sign-in and registration by password, change and reset.
import { identityModule } from '../../module.ts';
import { passwordEvents, resetPasswordMail } from './event.ts';
import { passwordPrompt } from '../factor/prompt.ts';
import { SignInForm } from '../sign-in/form.ts';
import { tokenPages } from '../token/pages.ts';
import { Blocklist } from './blocklist.ts';
import { changePasswordPages, forgotPages, passwordPages, passwordSection, resetPage } from './pages.ts';
import { passwordLoginRoutes, passwordResetRoutes, passwordRoutes } from './routes.ts';
import { signInFormPages, signInPages } from './sign-in-pages.ts';
import { signUpPages } from './sign-up-pages.ts';
import { checkPasswordOptions, passwordOptions } from './options.ts';

export const password = identityModule({
  name: 'password',
  options: passwordOptions,
  check: checkPasswordOptions,
  events: passwordEvents,
  mails: [resetPasswordMail],
  build: ({ accounts, cookies, pages, plugs, sessions, stepUp, ...rules }, options) => {
    const { passwordLogin, passwordReset, passwordChange } = rules;
    const { emailConfirmation, resetTokenBy, passwordMinLength: minLength, productName, publicUrl } = options;
    const signInForm = new SignInForm({ pages, ways: plugs.signInWays, emailConfirmation });
    const signUp = { pages, cookies, accounts, passwordLogin, policy: options, ways: plugs.signUpWays };
    const names = ['Bienvenue', productName, publicUrl?.hostname ?? ''];
    return {
      routes: [
        { access: 'open', json: passwordLoginRoutes({ cookies, passwordLogin }) },
        { access: 'open', json: passwordResetRoutes({ cookies, passwordReset, resetTokenBy }) },
        { access: 'session', json: passwordRoutes({ cookies, passwordChange }) },
        { access: 'optional', pages: signInPages({ pages, signInForm }) },
        { access: 'open', pages: signInFormPages({ pages, cookies, signInForm, passwordLogin }) },
        { access: 'open', pages: signUpPages(signUp) },
        { access: 'open', pages: forgotPages({ pages, cookies, passwordReset }) },
        { access: 'open', pages: tokenPages({ pages }, resetPage(pages, passwordReset)) },
        { access: 'open', pages: changePasswordPages() },
        { access: 'session', pages: passwordPages({ pages, cookies, sessions, stepUp, passwordChange }) },
      ],
      account: [passwordSection],
      prompts: [passwordPrompt],
      passwordChecks: options.passwordBlocklist ? [new Blocklist({ minLength, names })] : [],
    };
  },
});
