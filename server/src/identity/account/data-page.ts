// The page of the user's data, whose parts are those of other modules: a download, closing the account.
import { html } from 'ghtml';
import { renderParts, type AccountSection, type SectionPart } from '../../page/account-section.ts';
import { Redirect, formPage, type PageRoutes } from '../../page/form-page.ts';
import type { PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { sessionOf } from '../session/guard.ts';
import type { Session } from '../session/session-entry.ts';

/** The section of the page. Each module with a part on it contributes the section too; it is listed once. */
export const dataSection = {
  path: paths.data,
  name: 'data',
  icon: 'download',
  group: 'history',
} as const satisfies AccountSection;

interface DataPageParts {
  readonly pages: PageKit;
  readonly stepUp: { requireRecent(session: Session): Promise<void> };
  /** Parts of all pages. Without one for this page it leads to the account. */
  readonly parts: readonly SectionPart[];
}

/** The page of the user's data, at the access level `session`. It asks for a recent authentication. */
export function dataPages({ pages, stepUp, parts }: DataPageParts): PageRoutes['routes'] {
  return formPage(pages, {
    path: dataSection.path,
    summary: 'Page: your data',
    title: 'page.data.title',
    layout: 'account',
    load: async ({ request }) => {
      if (parts.every(({ section }) => section !== dataSection.name)) return new Redirect(paths.account);
      await stepUp.requireRecent(sessionOf(request));
      return {};
    },
    body: async (visit) => html`!${await renderParts(parts, dataSection.name, visit)}`,
  }).routes;
}
