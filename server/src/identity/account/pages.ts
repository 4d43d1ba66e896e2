// Lists the pages of the user's account.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import { PageQuery, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { sessionOf } from '../session/guard.ts';

/** Pages at the access level `session`. */
export function accountPages({ pages }: { readonly pages: PageKit }): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      paths.account,
      { schema: { summary: 'Page: your account', querystring: PageQuery } },
      async (request, reply) => {
        const t = pages.translate(request);
        const session = sessionOf(request);
        const items = pages.sections.map(
          ({ path, name }) =>
            html`<li>
              <a href="${path}"
                ><strong>${t(`page.${name}.title`)}</strong> <span>${t(`page.${name}.about`)}</span></a
              >
            </li>`,
        );
        const body = html`<p>${t('page.account.what', { email: session.email })}</p>
          <nav aria-label="${t('page.account.title')}">
            <ul class="sections">
              !${items}
            </ul>
          </nav>
          <form method="post" action="/sign-out">
            !${pages.formToken(session.id)}
            <button class="second">${t('page.sign_out.act')}</button>
          </form>`;
        return pages.send(request, reply, { title: t('page.account.title'), body });
      },
    );
  };
}
