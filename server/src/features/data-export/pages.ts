// What is kept of a person: what happened to the account, a copy of everything, and the closing of it.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import Type from 'typebox';
import { nameDevice } from '../../kit/device.ts';
import type { Problem } from '../../kit/problem.ts';
import type { AuditEvent } from '../../audit/event.ts';
import { costing } from '../../http/limits.ts';
import { notice } from '../../http/markup.ts';
import type { Translate } from '../../http/pages.ts';
import { accountBody } from '../../identity/account/pages.ts';
import { ownSections } from '../../page/account-section.ts';
import { mailCost } from '../../http/fields.ts';
import { sessionOf, sourceOf } from '../../identity/sign-in/guard.ts';
import { refusalOf } from '../../page/page-form.ts';
import {
  formField,
  formToken,
  seeOther,
  rerenderOnProblem,
  PageQuery,
  requireForm,
  type PageRoom,
} from '../../page/page-guard.ts';

export interface ActivityPageRoom extends PageRoom {
  /** What happened to an account, newest first. */
  readonly activityOf: (userId: number, limit: number) => Promise<AuditEvent[]>;
}

const CloseForm = Type.Object({
  sure: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

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

/** Behind the member door for pages: a copy of everything, and the end. */
export const dataPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages, cookie } = room;
  const { path } = ownSections.data;
  const show = async (
    request: FastifyRequest,
    reply: FastifyReply,
    problem?: Problem,
  ): Promise<FastifyReply> => {
    const t = pages.speak(request);
    const session = sessionOf(request);
    await auth.stepUp.requireRecent(session);
    const body = html`!${refusalOf(t, problem, [])}
      <p>${t('page.data.what')}</p>
      <p><a class="button" href="/profile/export" download>${t('page.data.export')}</a></p>
      <h2>${t('page.data.close')}</h2>
      <p>${t('page.data.close_what')}</p>
      <form method="post" action="${path}/close">
        !${formToken(room, session.id)}
        <label class="choice">
          <input type="checkbox" name="sure" value="yes" required /> ${t('page.data.sure')}
        </label>
        <button class="danger">${t('page.data.close_act')}</button>
      </form>`;
    return pages.send(request, reply, { title: t('page.data.title'), body: accountBody(t, body) });
  };
  scope.get(
    path,
    { schema: { summary: 'Page: your data', querystring: PageQuery } },
    async (request, reply) => show(request, reply),
  );
  scope.post(
    `${path}/close`,
    { config: costing(mailCost), schema: { summary: 'Page: closes your account', body: CloseForm } },
    async (request, reply) => {
      const session = sessionOf(request);
      requireForm(room, session.id, request.body.form_token);
      if (request.body.sure !== 'yes') return seeOther(reply, path);
      return rerenderOnProblem(
        reply,
        async () => {
          const { deleteAt } = await auth.deletions.request(session, sourceOf(request, room));
          void reply.header('set-cookie', cookie.clear());
          const t = pages.speak(request);
          const body = notice('done', t('page.data.closed', { deleteAt }));
          return pages.send(request, reply, { title: t('page.data.closed_title'), body });
        },
        (problem) => show(request, reply, problem),
      );
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
