// Registers the second factor of a login.
import { identityModule } from '../../module.ts';
import { signInEvents, newDeviceMail } from './event.ts';
import { factorPages } from './pages.ts';
import { secondFactorRoutes } from './routes.ts';
import { signInMigrations } from './migrations.ts';
import { signInOptions } from './options.ts';

export const signIn = identityModule({
  name: 'sign-in',
  title: 'Sign-in',
  migrations: signInMigrations,
  options: signInOptions,
  events: signInEvents,
  mails: [newDeviceMail],
  build: ({ cookies, pages, plugs: { prompts, parts }, secondFactors, signIn: rule }) => {
    if (secondFactors.policy === 'off') return {};
    const pageParts = { pages, cookies, signIn: rule, secondFactors, prompts, parts };
    return {
      routes: [
        { access: 'pending', json: secondFactorRoutes({ cookies, signIn: rule }) },
        { access: 'pending', pages: factorPages(pageParts) },
      ],
    };
  },
});
