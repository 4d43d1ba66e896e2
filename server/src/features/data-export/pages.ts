// Offers the signed-in user a copy of everything that is stored about them.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import { ownSections } from '../../page/account-section.ts';
import { accountBody } from '../../page/page-form.ts';
import { PageQuery, type PageRoom, type SectionPart } from '../../page/page-guard.ts';
import { sessionOf } from '../../identity/sign-in/guard.ts';

export interface DataPageRoom extends PageRoom {
  /** Parts below the export, which other features add. */
  readonly parts: readonly SectionPart[];
}

/** Behind the member door for pages. */
export const dataPages: FastifyPluginAsyncTypebox<DataPageRoom> = async (scope, room) => {
  const { auth, pages, parts } = room;
  scope.get(
    ownSections.data.path,
    { schema: { summary: 'Page: your data', querystring: PageQuery } },
    async (request, reply) => {
      const t = pages.speak(request);
      const session = sessionOf(request);
      await auth.stepUp.requireRecent(session);
      const body = html`<p>${t('page.data.what')}</p>
        <p><a class="button" href="/profile/export" download>${t('page.data.export')}</a></p>
        !${await Promise.all(parts.map(async (part) => part(room, t, session)))}`;
      return pages.send(request, reply, { title: t('page.data.title'), body: accountBody(t, body) });
    },
  );
};
