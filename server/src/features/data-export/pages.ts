// Offers the signed-in user a download of everything that is stored about them.
import { html } from 'ghtml';
import type { SectionPart } from '../../page/account-section.ts';

/** Returns the download, as a part of the page of the user's data. */
export function exportPart(): SectionPart {
  return {
    section: 'data',
    render: ({ t }) =>
      html`<p>${t('page.data.what')}</p>
        <p><a class="button" href="/profile/export">${t('page.data.export')}</a></p>`,
  };
}
