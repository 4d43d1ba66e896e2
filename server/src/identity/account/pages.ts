// Lists the pages of one's own account.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import { sessionOf } from '../sign-in/guard.ts';
import { formToken, PageQuery, paths, type PageRoom } from '../../page/page-guard.ts';

/** Behind the member door for pages. */
export const accountPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { pages, sections } = room;
  scope.get(
    paths.account,
    { schema: { summary: 'Page: your account', querystring: PageQuery } },
    async (request, reply) => {
      const t = pages.speak(request);
      const session = sessionOf(request);
      const items = sections.map(
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
          !${formToken(room, session.id)}
          <button class="second">${t('page.sign_out.act')}</button>
        </form>`;
      return pages.send(request, reply, { title: t('page.account.title'), body });
    },
  );
};
