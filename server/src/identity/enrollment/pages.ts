// The page that removes the first authenticator of an account again.
import type { PageRoom } from '../../page/page-guard.ts';
import { sourceOf } from '../sign-in/guard.ts';
import type { TokenPage } from '../token/pages.ts';
import { factorUndoKind } from './enrollment.ts';

/** Removes the first authenticator, and what was set up since. */
export function factorUndoPage(room: PageRoom): TokenPage {
  return {
    kind: factorUndoKind,
    async redeem({ token }, request) {
      await room.auth.enrollment.undo(token, sourceOf(request, room));
      return undefined;
    },
  };
}
