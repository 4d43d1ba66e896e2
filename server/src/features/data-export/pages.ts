// Offers the signed-in user a download of everything that is stored about them.
import { html } from 'ghtml';
import type { SectionPart } from '../../page/account-section.ts';
import type { PageKit } from '../../page/page.ts';

/** Returns the download, as a part of the page of the user's data. */
export function exportPart(pages: PageKit): SectionPart {
  return {
    section: 'data',
    render: (request) => {
      const t = pages.translate(request);
      return html`<p>${t('page.data.what')}</p>
        <p><a class="button" href="/profile/export" download>${t('page.data.export')}</a></p>`;
    },
  };
}
