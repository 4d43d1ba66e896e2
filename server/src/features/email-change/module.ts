// Lets users change their email address, and lets the owner of the old address undo it.
import { module } from '../../module.ts';
import { emailChangeEvents, emailChangeMail } from './event.ts';
import { html } from 'ghtml';
import { tokenPages } from '../../identity/token/pages.ts';
import { EmailChange, emailChangeKind, emailUndoKind } from './email-change.ts';
import { addressSection, changePage, emailChangePages, undoPage } from './pages.ts';
import { emailChangeRoutes, emailUndoRoutes } from './routes.ts';

export const emailChange = module({
  name: 'email-change',
  title: 'Change of address',
  messages: new URL('./messages/', import.meta.url).href,
  events: emailChangeEvents,
  mails: [emailChangeMail],
  tokenKinds: [emailChangeKind, emailUndoKind],
  build: ({ access, accounts, context, cookies, pages, passwordReset, sessions, stepUp, tokens }) => {
    const rule = new EmailChange(context, { access, accounts, passwordReset, sessions, stepUp, tokens });
    return {
      routes: [
        { access: 'open', json: emailUndoRoutes({ emailChange: rule }) },
        { access: 'session', json: emailChangeRoutes({ cookies, emailChange: rule }) },
        {
          access: 'session',
          pages: emailChangePages({ pages, cookies, sessions, stepUp, emailChange: rule }),
        },
        {
          access: 'optional',
          pages: tokenPages({ pages, cookies }, changePage({ cookies, emailChange: rule })),
        },
        { access: 'optional', pages: tokenPages({ pages, cookies }, undoPage(rule)) },
      ],
      account: [
        {
          ...addressSection,
          state: async (session, t) => {
            const pending = await rule.pendingFor(session);
            return pending === undefined
              ? { text: html`${session.email}` }
              : { text: html`${t('page.address.pending_about', { email: pending })}`, tone: 'weak' };
          },
        },
      ],
    };
  },
});
