// Shows the signed-in user what happened to the account.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import { nameDevice } from '../../kit/device.ts';
import type { AuditEvent } from '../../audit/event.ts';
import type { Translate } from '../../http/pages.ts';
import { ownSections } from '../../page/account-section.ts';
import { accountBody } from '../../page/page-form.ts';
import { PageQuery, type PageRoom } from '../../page/page-guard.ts';
import { sessionOf } from '../../identity/sign-in/guard.ts';

export interface ActivityPageRoom extends PageRoom {
  /** What happened to an account, newest first. */
  readonly activityOf: (userId: number, limit: number) => Promise<AuditEvent[]>;
}

/** Events that the page shows. */
const maxListed = 50;

/** Behind the member door for pages: what happened. */
export const activityPages: FastifyPluginAsyncTypebox<ActivityPageRoom> = async (scope, room) => {
  const { pages, activityOf } = room;
  scope.get(
    ownSections.activity.path,
    { schema: { summary: 'Page: what happened to your account', querystring: PageQuery } },
    async (request, reply) => {
      const t = pages.speak(request);
      const events = await activityOf(sessionOf(request).userId, maxListed);
      const items = events.map((event) => eventItem(t, event));
      const body = html`<p>${t('page.activity.what')}</p>
        <ol class="rows">
          !${items}
        </ol>`;
      return pages.send(request, reply, { title: t('page.activity.title'), body: accountBody(t, body) });
    },
  );
};

function eventItem(t: Translate, { event, outcome, at, address, device }: AuditEvent): string {
  const where = [nameDevice(device ?? undefined), address].filter(
    (text) => text !== undefined && text !== null,
  );
  return html`<li>
    <div>
      <strong>${t(`page.event.${event}`)}</strong>
      !${outcome === 'failure' ? html`<em class="failed">${t('page.activity.failed')}</em>` : ''}
      <small>${t('page.activity.when', { at })}</small> <small>${where.join(' · ')}</small>
    </div>
  </li>`;
}
