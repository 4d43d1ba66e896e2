// One's own sessions and remembered devices: the list, and the end of each.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import Type from 'typebox';
import { nameDevice } from '../../kit/device.ts';
import { addressOf, notice } from '../../http/markup.ts';
import type { Translate } from '../../http/pages.ts';
import { accountBody } from '../account/pages.ts';
import { ownSections } from '../../page/account-section.ts';
import { parseFactors } from '../factor/factor.ts';
import { sessionOf, sourceOf } from '../sign-in/guard.ts';
import {
  formField,
  formToken,
  seeOther,
  PageQuery,
  paths,
  requireForm,
  type PageRoom,
} from '../../page/page-guard.ts';
import type { SessionSummary } from './store.ts';

const EndForm = Type.Object({
  id: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

/** Sessions that the page shows. */
const maxListed = 50;

/** Behind the member door for pages. */
export const sessionPages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth, pages, rememberedDeviceDays } = room;
  const { path } = ownSections.sessions;
  scope.get(
    path,
    { schema: { summary: 'Page: your sessions and devices', querystring: PageQuery } },
    async (request, reply) => {
      const t = pages.speak(request);
      const current = sessionOf(request);
      const sessions = await auth.listSessions(current.userId, maxListed);
      const { done } = request.query;
      const items = sessions.map((session) => sessionItem(room, t, session, current.id));
      const others =
        sessions.length < 2
          ? ''
          : html`<form method="post" action="${path}/others">
              !${formToken(room, current.id)}
              <button class="second">${t('page.sessions.end_others')}</button>
            </form>`;
      const devices = rememberedDeviceDays > 0 ? await deviceList(room, t, current) : '';
      const body = html`!${notice('done', done === 'ended' ? t('page.sessions.ended') : undefined)}
        <p>${t('page.sessions.what')}</p>
        <ul class="rows">
          !${items}
        </ul>
        !${others} !${devices}`;
      return pages.send(request, reply, { title: t('page.sessions.title'), body: accountBody(t, body) });
    },
  );
  scope.post(
    path,
    { schema: { summary: 'Page: ends one of your sessions', body: EndForm } },
    async (request, reply) => {
      const current = sessionOf(request);
      requireForm(room, current.id, request.body.form_token);
      const { id = '' } = request.body;
      await auth.endOwnSession(current, id, sourceOf(request, room));
      return seeOther(reply, id === current.id ? paths.signIn : addressOf(path, { done: 'ended' }));
    },
  );
  scope.post(
    `${path}/others`,
    { schema: { summary: 'Page: ends your other sessions', body: EndForm } },
    async (request, reply) => {
      const current = sessionOf(request);
      requireForm(room, current.id, request.body.form_token);
      await auth.endOtherSessions(current, sourceOf(request, room));
      return seeOther(reply, addressOf(path, { done: 'ended' }));
    },
  );
  if (rememberedDeviceDays === 0) return;
  scope.post(
    `${path}/devices`,
    { schema: { summary: 'Page: forgets a device', body: EndForm } },
    async (request, reply) => {
      const current = sessionOf(request);
      requireForm(room, current.id, request.body.form_token);
      await auth.forgetDevice(current, request.body.id ?? '', sourceOf(request, room));
      return seeOther(reply, path);
    },
  );
};

function sessionItem(
  room: PageRoom,
  t: Translate,
  { id, device, last_seen_at: seen, created_at: created, factors }: SessionSummary,
  currentId: string,
): string {
  const uses = parseFactors(factors).map(({ factor }) => t(`page.factor.${factor}`));
  const name = nameDevice(device ?? undefined) ?? t('page.sessions.unknown');
  const isCurrent = id === currentId;
  return html`<li>
    <div>
      <strong>${name}</strong> !${isCurrent ? html`<em>${t('page.sessions.current')}</em>` : ''}
      <small>${t('page.sessions.since', { created, seen })}</small>
      !${uses.length > 0 ? html`<small>${uses.join(' + ')}</small>` : ''}
    </div>
    !${
      isCurrent
        ? ''
        : html`<form method="post" action="${ownSections.sessions.path}">
            !${formToken(room, currentId)}
            <input type="hidden" name="id" value="${id}" />
            <button class="small" aria-label="${t('page.sessions.end_one', { name })}">
              ${t('page.sessions.end')}
            </button>
          </form>`
    }
  </li>`;
}

async function deviceList(
  room: PageRoom,
  t: Translate,
  current: { id: string; userId: number },
): Promise<string> {
  const devices = await room.auth.listRememberedDevices(current.userId);
  if (devices.length === 0) return '';
  const items = devices.map(({ id, user_agent: agent, remembered_until: until }) => {
    const name = nameDevice(agent ?? undefined) ?? t('page.sessions.unknown');
    return html`<li>
      <div>
        <strong>${name}</strong>
        <small>${t('page.sessions.remembered_until', { until: until ?? 0 })}</small>
      </div>
      <form method="post" action="${ownSections.sessions.path}/devices">
        !${formToken(room, current.id)}
        <input type="hidden" name="id" value="${id}" />
        <button class="small" aria-label="${t('page.sessions.forget_one', { name })}">
          ${t('page.sessions.forget')}
        </button>
      </form>
    </li>`;
  });
  return html`<h2>${t('page.sessions.remembered')}</h2>
    <ul class="rows">
      !${items}
    </ul>`;
}
