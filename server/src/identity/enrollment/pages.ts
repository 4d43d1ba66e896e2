// Pages of enrollment: undoing the first authenticator, and the choice of one for a login that must bind an
// authenticator.
import { html } from 'ghtml';
import { addressOf } from '../../http/markup.ts';
import { sectionList, type AccountSection } from '../../page/account-section.ts';
import { Redirect, formPage, type PageRoutes } from '../../page/form-page.ts';
import type { PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { pendingAuthenticationOf } from '../sign-in/guard.ts';
import type { TokenPage } from '../token/page-parts.ts';
import { factorUndoKind, type Enrollment } from './enrollment.ts';

/** The page that undoes the first authenticator of an account. */
export function undoPage(enrollment: Enrollment): TokenPage {
  return {
    kind: factorUndoKind,
    async redeem({ token }, { request }) {
      await enrollment.undo(token, request.source);
      return undefined;
    },
  };
}

/** The page that lists the authenticators to bind, at the access level `pending`. */
export function setUpPages({
  pages,
  sections,
}: {
  readonly pages: PageKit;
  /** Pages that enroll an authenticator. */
  readonly sections: readonly AccountSection[];
}): PageRoutes['routes'] {
  return formPage(pages, {
    path: paths.setUp,
    summary: 'Page: set a second factor up',
    title: 'page.set_up.title',
    load: ({ request, next }) =>
      pendingAuthenticationOf(request).kind === 'enrollment'
        ? {}
        : new Redirect(addressOf(paths.factor, { return_to: next })),
    body: ({ t, request, next }) =>
      html`<p class="who">${pendingAuthenticationOf(request).email}</p>
        <p>${t('page.set_up.what')}</p>
        !${sectionList(t, sections, next)}
        <p class="links">
          <a href="${addressOf(paths.signIn, { return_to: next })}">${t('page.factor.other')}</a>
        </p>`,
  }).routes;
}
