// The page of the account that lists the applications with access, and removes it.
import { html } from 'ghtml';
import Type from 'typebox';
import { addressOf, hidden } from '../../../http/markup.ts';
import type { AccountSection } from '../../../page/account-section.ts';
import { form, formPage, type PageRoutes, type Visit } from '../../../page/form-page.ts';
import { icon } from '../../../page/icon.ts';
import { formField, type PageKit } from '../../../page/page.ts';
import { withTimes } from '../../../page/time.ts';
import { sessionOf } from '../../../identity/session/guard.ts';
import { accessText } from '../interaction/access-text.ts';
import type { Applications, UsedApplication } from './applications.ts';

export const applicationSection = {
  path: '/account/applications',
  name: 'applications',
  icon: 'grid',
  group: 'history',
} as const satisfies AccountSection;

export interface ApplicationPageParts {
  readonly pages: PageKit;
  readonly applications: Pick<Applications, 'list' | 'remove'>;
}

/** The page, at the access level `session`. */
export function applicationPages({ pages, applications }: ApplicationPageParts): PageRoutes['routes'] {
  const { path } = applicationSection;
  return formPage<readonly UsedApplication[]>(pages, {
    path,
    summary: 'Page: applications that can use your account',
    title: 'page.applications.title',
    layout: 'account',
    subject: (request) => sessionOf(request).id,
    done: { removed: 'page.applications.removed' },
    load: ({ request }) => applications.list(sessionOf(request).userId),
    body: (visit, listed) => {
      if (listed.length === 0) return html`<p>${visit.t('page.applications.none')}</p>`;
      return html`<p>${visit.t('page.applications.what')}</p>
        <ul class="rows texts">
          !${listed.map((one) => applicationItem(visit, one))}
        </ul>`;
    },
    forms: [
      form({
        path: `${path}/remove`,
        summary: 'Page: removes the access of an application',
        fields: Type.Object({ client_id: Type.Optional(formField) }),
        back: () => path,
        submit: async ({ client_id: id = '' }, { request }) => {
          await applications.remove(sessionOf(request).userId, id, request.source);
          return addressOf(path, { done: 'removed' });
        },
      }),
    ],
  }).routes;
}

function applicationItem(
  { t, inputs }: Visit,
  { id, name, isFirstParty, access, since, usedAt }: UsedApplication,
): string {
  const times = [
    withTimes(t, 'page.applications.since', { created: since }, 'day'),
    withTimes(t, 'page.applications.used', { used: usedAt }, 'ago'),
  ];
  const texts = [...new Set(['openid', ...access])].map((one) => accessText(t, one));
  return html`<li>
    !${icon('grid')}
    <div>
      <strong>${name}</strong>
      <small>${texts.join(' · ')}</small>
      <small>!${times.join(' · ')}</small>
      !${isFirstParty ? html`<small>${t('page.applications.own')}</small>` : ''}
    </div>
    <form method="post" action="${applicationSection.path}/remove">
      !${inputs} !${hidden('client_id', id)}
      <button class="small" aria-label="${t('page.applications.remove_one', { name })}">
        ${t('page.applications.remove')}
      </button>
    </form>
  </li>`;
}
