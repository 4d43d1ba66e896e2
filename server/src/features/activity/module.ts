// Shows users the security events of their account.
import { module } from '../../module.ts';
import { activityPages, activitySection } from './pages.ts';

export const activity = module({
  name: 'activity',
  messages: new URL('./messages/', import.meta.url).href,
  build: ({ audit, pages }) => ({
    routes: [{ access: 'session', pages: activityPages({ pages, audit }) }],
    account: [activitySection],
  }),
});
