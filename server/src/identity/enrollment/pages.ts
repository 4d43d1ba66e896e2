// Pages of enrollment: undoing the first authenticator, and the choice of one for a login that must bind an
// authenticator.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import { seeOther, PageQuery, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import type { AccountSection } from '../../page/account-section.ts';
import { pendingAuthenticationOf } from '../sign-in/guard.ts';
import type { TokenPage } from '../token/pages.ts';
import { factorUndoKind, type Enrollment } from './enrollment.ts';
import { addressOf } from '../../http/markup.ts';

/** The page that undoes the first authenticator of an account. */
export function undoPage(enrollment: Enrollment): TokenPage {
  return {
    kind: factorUndoKind,
    async redeem({ token }, request) {
      await enrollment.undo(token, request.source);
      return undefined;
    },
  };
}

/** The page that lists the authenticators to bind, at the access level `enrollment`. */
export function setUpPages({
  pages,
  sections,
}: {
  readonly pages: PageKit;
  /** Pages that enroll an authenticator. */
  readonly sections: readonly AccountSection[];
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      paths.setUp,
      { schema: { summary: 'Page: set a second factor up', querystring: PageQuery } },
      async (request, reply) => {
        const t = pages.translate(request);
        const next = pages.returnTo(request);
        if (pendingAuthenticationOf(request).kind !== 'enrollment')
          return seeOther(reply, addressOf(paths.factor, { return_to: next }));
        const items = sections.map(
          ({ path, name }) =>
            html`<li>
              <a href="${addressOf(path, { return_to: next })}"
                ><strong>${t(`page.${name}.title`)}</strong> <span>${t(`page.${name}.about`)}</span></a
              >
            </li>`,
        );
        const body = html`<p>${t('page.set_up.what')}</p>
          <ul class="sections">
            !${items}
          </ul>`;
        return pages.send(request, reply, { title: t('page.set_up.title'), body });
      },
    );
  };
}
