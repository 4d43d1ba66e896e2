// Registers the module of accounts: registration, the profile and the confirmation of the address.
import { identityModule, type RouteSet } from '../../module.ts';
import { accountEvents, alreadyRegisteredMail, emailVerificationMail } from './event.ts';
import { accountPages } from './pages.ts';
import { dataPages } from './data-page.ts';
import { profileRoutes, registrationRoutes } from './routes.ts';
import { verificationRoutes } from './verification-routes.ts';
import { checkAccountOptions, accountOptions } from './options.ts';

export const account = identityModule({
  name: 'account',
  title: 'Accounts',
  options: accountOptions,
  check: checkAccountOptions,
  events: accountEvents,
  mails: [alreadyRegisteredMail, emailVerificationMail],
  build: ({ accounts, cookies, emailVerification, pages, plugs: { parts }, stepUp }, policy) => {
    const confirmation: readonly RouteSet[] = [
      { access: 'open', json: verificationRoutes({ cookies, emailVerification }) },
    ];
    return {
      routes: [
        { access: 'open', json: registrationRoutes({ accounts, cookies, policy }) },
        { access: 'session', json: profileRoutes() },
        { access: 'session', pages: accountPages({ pages }) },
        { access: 'session', pages: dataPages({ pages, stepUp, parts }) },
        ...(policy.emailConfirmation ? confirmation : []),
      ],
    };
  },
});
