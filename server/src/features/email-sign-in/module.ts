// Sign-in with a mailed link or code. It counts as one factor and never as the second one.
import { module } from '../../module.ts';
import { emailSignInEvents, signInMail } from './event.ts';
import { tokenPages } from '../../identity/token/pages.ts';
import { EmailSignIn, emailSignInKind } from './email-sign-in.ts';
import { emailSignInPages, emailSignInWay, signInLinkPage } from './pages.ts';
import { emailSignInRoutes } from './routes.ts';
import { emailSignInOptions } from './options.ts';

export const emailSignIn = module({
  name: 'email-sign-in',
  title: 'Sign-in by email',
  messages: new URL('./messages/', import.meta.url).href,
  options: emailSignInOptions,
  events: emailSignInEvents,
  mails: [signInMail],
  tokenKinds: [emailSignInKind],
  isOn: (options) => options.emailSignIn,
  build: ({ context, cookies, pages, signIn, tokens }) => {
    const rule = new EmailSignIn(context, { tokens, signIn });
    return {
      routes: [
        { access: 'open', json: emailSignInRoutes({ cookies, emailSignIn: rule }) },
        { access: 'open', pages: emailSignInPages({ pages, cookies, emailSignIn: rule }) },
        {
          access: 'optional',
          pages: tokenPages({ pages, cookies }, signInLinkPage({ pages, cookies, emailSignIn: rule })),
        },
      ],
      signInWays: [emailSignInWay(pages)],
      waysIn: [async () => true],
    };
  },
});
