// The development mailbox: local mode keeps mails and shows them here.
import { module } from '../../module.ts';
import { mailboxPath, mailboxRoutes } from './routes.ts';

export const mailbox = module({
  name: 'mailbox',
  messages: new URL('./messages/', import.meta.url).href,
  build: ({ mail, pages }) => ({
    ...(pages.keepsMails && { keptMails: { path: mailboxPath, name: 'mailbox' } }),
    routes: pages.keepsMails ? [{ access: 'open', json: mailboxRoutes({ mail, pages }) }] : [],
  }),
});
