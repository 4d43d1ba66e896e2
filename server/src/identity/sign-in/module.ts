// Registers the second factor of a login, and step-up.
import { identityModule, type RouteSet } from '../../module.ts';
import { signInEvents, newDeviceMail } from './event.ts';
import { factorPages, stepUpPages } from './pages.ts';
import { secondFactorRoutes, stepUpRoutes } from './routes.ts';
import { signInMigrations } from './migrations.ts';
import { signInOptions } from './options.ts';

export const signIn = identityModule({
  name: 'sign-in',
  migrations: signInMigrations,
  options: signInOptions,
  events: signInEvents,
  mails: [newDeviceMail],
  build: ({
    cookies,
    pages,
    plugs: { prompts, parts, enrollments },
    secondFactors,
    signIn: rule,
    stepUp,
  }) => {
    const pageParts = { pages, cookies, signIn: rule, secondFactors, prompts, parts };
    const secondFactor: readonly RouteSet[] = [
      { access: 'pending', json: secondFactorRoutes({ cookies, signIn: rule }) },
      { access: 'pending', pages: factorPages(pageParts) },
    ];
    return {
      routes: [
        { access: 'session', json: stepUpRoutes({ cookies, stepUp }) },
        { access: 'session', pages: stepUpPages({ pages, cookies, stepUp, prompts, enrollments }) },
        ...(secondFactors.policy === 'off' ? [] : secondFactor),
      ],
    };
  },
});
