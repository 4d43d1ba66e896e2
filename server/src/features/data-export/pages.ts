// Offers the signed-in user a download of everything that is stored about them.
import { html } from 'ghtml';
import { renderParts, type AccountSection, type SectionPart } from '../../page/account-section.ts';
import { formPage, type PageRoutes } from '../../page/form-page.ts';
import type { PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import type { StepUp } from '../../identity/step-up/step-up.ts';

export const dataSection = {
  path: paths.data,
  name: 'data',
  icon: 'download',
  group: 'history',
} as const satisfies AccountSection;

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
}): PageRoutes['routes'] {
  return formPage(pages, {
    path: dataSection.path,
    summary: 'Page: your data',
    title: 'page.data.title',
    layout: 'account',
    load: async ({ request }) => {
      await stepUp.requireRecent(sessionOf(request));
      return {};
    },
    body: async ({ t, request }) =>
      html`<p>${t('page.data.what')}</p>
        <p><a class="button" href="/profile/export" download>${t('page.data.export')}</a></p>
        !${await renderParts(parts, 'data', request)}`,
  }).routes;
}
