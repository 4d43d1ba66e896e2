// Offers the signed-in user a download of everything that is stored about them.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import { PageQuery, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { renderParts, type AccountSection, type SectionPart } from '../../page/account-section.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import type { StepUp } from '../../identity/sign-in/step-up.ts';

export const dataSection = { path: paths.data, name: 'data' } as const satisfies AccountSection;

/** The page of the user's data. */
export function dataPages({
  pages,
  stepUp,
  parts,
}: {
  readonly pages: PageKit;
  readonly stepUp: StepUp;
  /** Parts below the export, which other modules contribute. */
  readonly parts: readonly SectionPart[];
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      dataSection.path,
      { schema: { summary: 'Page: your data', querystring: PageQuery } },
      async (request, reply) => {
        const t = pages.translate(request);
        const session = sessionOf(request);
        await stepUp.requireRecent(session);
        const body = html`<p>${t('page.data.what')}</p>
          <p><a class="button" href="/profile/export" download>${t('page.data.export')}</a></p>
          !${await renderParts(parts, 'data', request)}`;
        return pages.sendAccount(request, reply, { title: t('page.data.title'), body });
      },
    );
  };
}
