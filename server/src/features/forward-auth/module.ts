// Answers a reverse proxy that asks who is signed in.
import { module } from '../../module.ts';
import { forwardAuthRoutes } from './routes.ts';

export const forwardAuth = module({
  name: 'forward-auth',
  messages: import.meta.resolve('./messages/'),
  build: ({ pages }) => ({ routes: [{ access: 'optional', json: forwardAuthRoutes({ pages }) }] }),
});
