// Lists the pages of the user's account.
import { html } from 'ghtml';
import { formPage, type PageRoutes } from '../../page/form-page.ts';
import type { PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { sessionOf } from '../session/guard.ts';

/** Page at the access level `session`. */
export function accountPages({ pages }: { readonly pages: PageKit }): PageRoutes['routes'] {
  return formPage(pages, {
    path: paths.account,
    summary: 'Page: your account',
    title: 'page.account.title',
    subject: (request) => sessionOf(request).id,
    load: () => ({}),
    body: ({ t, request, inputs }) => {
      const items = pages.sections.map(
        ({ path, name }) =>
          html`<li>
            <a href="${path}"
              ><strong>${t(`page.${name}.title`)}</strong> <span>${t(`page.${name}.about`)}</span></a
            >
          </li>`,
      );
      return html`<p>${t('page.account.what', { email: sessionOf(request).email })}</p>
        <nav aria-label="${t('page.account.title')}">
          <ul class="sections">
            !${items}
          </ul>
        </nav>
        <form method="post" action="${paths.signOut}">
          !${inputs}
          <button class="second">${t('page.sign_out.act')}</button>
        </form>`;
    },
  }).routes;
}
