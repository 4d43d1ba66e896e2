// Lets users close their account, which is removed two weeks later.
import { dataSection } from '../../identity/account/data-page.ts';
import { identityModule } from '../../module.ts';
import { deletionEvents } from './event.ts';
import { tokenPages } from '../../identity/token/pages.ts';
import { AccountDeletion, deletionUndoKind } from './deletion.ts';
import { closeAccountPages, closeAccountPart, closedPages, undoPage } from './pages.ts';
import { ClosedAccountReopening } from './reopening.ts';
import { deletionRoutes, deletionUndoRoutes } from './routes.ts';

export const accountDeletion = identityModule({
  name: 'account-deletion',
  messages: new URL('./messages/', import.meta.url).href,
  events: deletionEvents,
  tokenKinds: [deletionUndoKind],
  build: ({ access, attempts, context, cookies, pages, sessions, stepUp, tokens }) => {
    const deletion = new AccountDeletion(context, { access, attempts, sessions, stepUp, tokens });
    const reopening = new ClosedAccountReopening(context, tokens);
    return {
      routes: [
        { access: 'session', json: deletionRoutes({ cookies, deletion }) },
        { access: 'open', json: deletionUndoRoutes({ deletion }) },
        { access: 'session', pages: closeAccountPages({ pages, cookies, deletion }) },
        { access: 'open', pages: closedPages({ pages, reopening }) },
        { access: 'optional', pages: tokenPages({ pages, cookies }, undoPage(deletion)) },
      ],
      account: [dataSection],
      parts: [closeAccountPart(pages)],
      purges: [deletion],
      closedAccounts: reopening,
    };
  },
});
