// Registers the module of details: the routes and the page of name and picture.
import { html } from 'ghtml';
import { identityModule } from '../../module.ts';
import { detailsEvents } from './event.ts';
import { detailsPages, profileSection } from './pages.ts';
import { detailsRoutes } from './routes.ts';

export const details = identityModule({
  name: 'details',
  title: 'Details of users',
  events: detailsEvents,
  build: ({ details: rule, pages, sessions }) => ({
    routes: [
      { access: 'session', json: detailsRoutes({ details: rule }) },
      { access: 'session', pages: detailsPages({ pages, details: rule, sessions }) },
    ],
    account: [
      {
        ...profileSection,
        state: async ({ name }, t) => ({ text: html`${name ?? t('page.profile.about')}` }),
      },
    ],
  }),
});
