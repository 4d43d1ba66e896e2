// Lists and forgets the devices on which the user is not asked for a second factor, on the page of the sessions.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import Type from 'typebox';
import { nameDevice } from '../../kit/device.ts';
import { ownSections } from '../../page/account-section.ts';
import {
  formField,
  formToken,
  requireForm,
  seeOther,
  type PageRoom,
  type SectionPart,
} from '../../page/page-guard.ts';
import { sessionOf, sourceOf } from '../../identity/sign-in/guard.ts';

const ForgetForm = Type.Object({
  id: Type.Optional(formField),
  form_token: Type.Optional(formField),
});

/** The list of remembered devices, as a part of the page of the sessions; empty if there are none. */
export const rememberedDevicePart: SectionPart = async (room, t, current) => {
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
};

/** Behind the member door for pages. */
export const rememberedDevicePages: FastifyPluginAsyncTypebox<PageRoom> = async (scope, room) => {
  const { auth } = room;
  const { path } = ownSections.sessions;
  scope.post(
    `${path}/devices`,
    { schema: { summary: 'Page: forgets a device', body: ForgetForm } },
    async (request, reply) => {
      const current = sessionOf(request);
      requireForm(room, current.id, request.body.form_token);
      await auth.forgetDevice(current, request.body.id ?? '', sourceOf(request, room));
      return seeOther(reply, path);
    },
  );
};
