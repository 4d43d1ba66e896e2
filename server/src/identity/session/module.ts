// Registers the module of sessions: listing and ending one's own, and signing out.
import { identityModule } from '../../module.ts';
import { sessionEvents } from './event.ts';
import { maxListed, sessionPages, sessionSection, signOutPages } from './pages.ts';
import { sessionRoutes } from './routes.ts';
import { sessionMigrations } from './migrations.ts';
import { checkSessionOptions, sessionOptions } from './options.ts';

export const session = identityModule({
  name: 'session',
  title: 'Sessions',
  migrations: sessionMigrations,
  options: sessionOptions,
  check: checkSessionOptions,
  events: sessionEvents,
  build: ({ cookies, pages, plugs: { parts }, sessions }) => ({
    routes: [
      { access: 'session', json: sessionRoutes({ cookies, sessions }) },
      { access: 'session', pages: sessionPages({ pages, sessions, parts }) },
      { access: 'optional', pages: signOutPages({ pages, cookies, sessions }) },
    ],
    account: [
      {
        ...sessionSection,
        state: async ({ userId }, t) => {
          const others = (await sessions.list(userId, maxListed)).length - 1;
          return { text: t('page.sessions.state', { others }) };
        },
      },
    ],
  }),
});
