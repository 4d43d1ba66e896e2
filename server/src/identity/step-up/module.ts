// Registers step-up: its route and its page.
import { identityModule } from '../../module.ts';
import { stepUpEvents } from './event.ts';
import { stepUpPages } from './pages.ts';
import { stepUpRoutes } from './routes.ts';

export const stepUp = identityModule({
  name: 'step-up',
  title: 'Step-up',
  events: stepUpEvents,
  build: ({ cookies, pages, plugs: { prompts, enrollments }, stepUp: rule }) => ({
    routes: [
      { access: 'session', json: stepUpRoutes({ cookies, stepUp: rule }) },
      { access: 'session', pages: stepUpPages({ pages, cookies, stepUp: rule, prompts, enrollments }) },
    ],
  }),
});
