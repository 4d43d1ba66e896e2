// Shows the signed-in user the events of the account.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import { nameDevice } from '../../kit/device.ts';
import type { AuditEvent } from '../../audit/event.ts';
import { PageQuery, type PageKit } from '../../page/page.ts';
import type { AccountSection } from '../../page/account-section.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import type { Audit } from '../../audit/audit.ts';
import type { Translate } from '../../http/pages.ts';

export const activitySection = {
  path: '/account/activity',
  name: 'activity',
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
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      activitySection.path,
      { schema: { summary: 'Page: recent activity of your account', querystring: PageQuery } },
      async (request, reply) => {
        const t = pages.translate(request);
        const events = await audit.list({ userId: sessionOf(request).userId, limit: maxListed });
        const items = events.map((event) => eventItem(t, event));
        const body = html`<p>${t('page.activity.what')}</p>
          <ol class="rows">
            !${items}
          </ol>`;
        return pages.sendAccount(request, reply, { title: t('page.activity.title'), body });
      },
    );
  };
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
