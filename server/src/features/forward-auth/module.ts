// Answers a reverse proxy that asks who is signed in.
import { module } from '../../module.ts';
import { forwardAuthRoutes } from './routes.ts';

export const forwardAuth = module({
  name: 'forward-auth',
  messages: new URL('./messages/', import.meta.url).href,
  build: ({ context: { db }, details, pages, secondFactors, sessions, stepUp }) => ({
    routes: [
      {
        access: 'optional',
        json: forwardAuthRoutes({ db, details, pages, secondFactors, sessions, stepUp }),
      },
    ],
  }),
});
