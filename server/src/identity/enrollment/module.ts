// Registers the module of enrollment: the page that lists authenticators to bind, and undoing the first one.
import { identityModule } from '../../module.ts';
import { enrollmentEvents } from './event.ts';
import { tokenPages } from '../token/pages.ts';
import { setUpPages, undoPage } from './pages.ts';
import { factorUndoRoutes } from './routes.ts';

export const enrollment = identityModule({
  name: 'enrollment',
  events: enrollmentEvents,
  build: ({ cookies, enrollment: rule, pages, plugs, secondFactors }) => ({
    routes: [
      { access: 'open', json: factorUndoRoutes({ enrollment: rule }) },
      { access: 'optional', pages: tokenPages({ pages, cookies }, undoPage(rule)) },
      ...(secondFactors.policy === 'off'
        ? []
        : [{ access: 'pending', pages: setUpPages({ pages, sections: plugs.enrollments }) } as const]),
    ],
  }),
});
