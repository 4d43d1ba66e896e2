// The page that asks before an authenticator is removed. Features with several authenticators contribute it.
import { html } from 'ghtml';
import Type from 'typebox';
import { addressOf, hidden } from '../../http/markup.ts';
import { Redirect, form, formPage, type PageRoutes } from '../../page/form-page.ts';
import { formField, type PageKit } from '../../page/page.ts';
import type { FactorChange } from '../factor/factor.ts';
import type { BrowserCookies } from '../browser-cookies.ts';
import { enrollmentSubjectOf } from '../sign-in/guard.ts';
import { subjectIdOf, subjectUserIdOf } from '../sign-in/subject.ts';
import type { Enrollment } from './enrollment.ts';

export interface RemovalPageParts {
  readonly pages: PageKit;
  readonly cookies: BrowserCookies;
  readonly enrollment: Enrollment;
}

export interface RemovalPage {
  /** Path of the list, to which the page returns. Its own path is `<path>/remove`. */
  readonly path: string;
  /** Its messages are `page.<name>.remove_one`, `.remove_what` and `.remove`. */
  readonly name: string;
  readonly list: (userId: number) => Promise<readonly { readonly id: string; readonly name: string }[]>;
  readonly removal: (id: string) => FactorChange<unknown>;
}

/** The page, at the access level `enrollment`. */
export function removalPage(
  { pages, cookies, enrollment }: RemovalPageParts,
  { path, name, list, removal }: RemovalPage,
): PageRoutes {
  return formPage<{ readonly id: string; readonly name: string }>(pages, {
    path: `${path}/remove`,
    summary: 'Page: asks before an authenticator is removed',
    title: ({ t }, row) => t(`page.${name}.remove_one`, { name: row.name }),
    layout: 'account',
    query: Type.Object({ id: Type.Optional(formField) }),
    subject: (request) => subjectIdOf(enrollmentSubjectOf(request)),
    load: async ({ request, query }) => {
      const of = enrollmentSubjectOf(request);
      await enrollment.requireSubject(of);
      const rows = await list(subjectUserIdOf(of));
      return rows.find(({ id }) => id === query['id']) ?? new Redirect(addressOf(path, { note: query.note }));
    },
    body: ({ t, inputs }, { id }) =>
      html`<p>${t(`page.${name}.remove_what`)}</p>
        <form method="post" action="${path}/remove">
          !${inputs} !${hidden('id', id)}
          <button class="danger">${t(`page.${name}.remove`)}</button>
        </form>
        <p class="links"><a href="${path}">${t('page.factor.keep')}</a></p>`,
    forms: [
      form({
        summary: 'Page: removes an authenticator',
        fields: Type.Object({ id: Type.Optional(formField) }),
        back: ({ id }) => addressOf(`${path}/remove`, { id: pages.queries.parse({ id }).id }),
        submit: async ({ id = '' }, { request, reply }) => {
          const of = enrollmentSubjectOf(request);
          const { renewed } = await enrollment.change(of, removal(id), request.source);
          cookies.renewSession(request, reply, renewed);
          return addressOf(path, { done: 'removed' });
        },
      }),
    ],
  });
}
