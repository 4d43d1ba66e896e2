// Shows the signed-in user the events of the account.
import { html } from 'ghtml';
import { nameDevice } from '../../kit/device.ts';
import type { Audit } from '../../audit/audit.ts';
import type { AuditEvent } from '../../audit/event.ts';
import type { Translate } from '../../http/pages.ts';
import type { AccountSection } from '../../page/account-section.ts';
import { formPage, type PageRoutes } from '../../page/form-page.ts';
import type { PageKit } from '../../page/page.ts';
import { sessionOf } from '../../identity/session/guard.ts';

export const activitySection = {
  path: '/account/activity',
  name: 'activity',
  icon: 'pulse',
  group: 'history',
} as const satisfies AccountSection;

/** Maximum number of events on the page. */
const maxListed = 50;

/** The page of recent events. */
export function activityPages({
  pages,
  audit,
}: {
  readonly pages: PageKit;
  readonly audit: Audit;
}): PageRoutes['routes'] {
  return formPage<readonly AuditEvent[]>(pages, {
    path: activitySection.path,
    summary: 'Page: recent activity of your account',
    title: 'page.activity.title',
    layout: 'account',
    load: ({ request }) => audit.list({ userId: sessionOf(request).userId, limit: maxListed }),
    body: ({ t }, events) =>
      html`<p>${t('page.activity.what')}</p>
        <ol class="rows">
          !${events.map((event) => eventItem(t, event))}
        </ol>`,
  }).routes;
}

function eventItem(t: Translate, { event, outcome, at, address, device, facts }: AuditEvent): string {
  // Refusals that were repeated within a minute are one event with their number.
  const count = facts?.['count'];
  const refused = count === undefined ? 'page.activity.failed' : 'page.activity.failed_times';
  const where = [nameDevice(device ?? undefined), address].filter(
    (text) => text !== undefined && text !== null,
  );
  return html`<li>
    <div>
      <strong>${t(`page.event.${event}`)}</strong>
      !${outcome === 'failure' ? html`<em class="failed">${t(refused, { count: Number(count) })}</em>` : ''}
      <small>${t('page.activity.when', { at })}</small> <small>${where.join(' · ')}</small>
    </div>
  </li>`;
}
