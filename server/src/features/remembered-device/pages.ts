// Lists and removes remembered devices, on the page of the sessions.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { html } from 'ghtml';
import Type from 'typebox';
import { nameDevice } from '../../kit/device.ts';
import { form, pageForms } from '../../page/form-page.ts';
import { formField, type PageKit } from '../../page/page.ts';
import { paths } from '../../page/paths.ts';
import { withTimes } from '../../page/time.ts';
import type { PartVisit, SectionPart } from '../../page/account-section.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import type { Devices } from '../../identity/sign-in/devices.ts';

export interface RememberedDevicePageParts {
  readonly pages: PageKit;
  readonly devices: Devices;
}

/** Returns the list of remembered devices, as a part of the page of the sessions; empty if there are none. */
export function rememberedDevicePart({ pages, devices }: RememberedDevicePageParts): SectionPart {
  return { section: 'sessions', render: (visit) => renderDevices(pages, devices, visit) };
}

async function renderDevices(pages: PageKit, devices: Devices, { t, request }: PartVisit): Promise<string> {
  const current = sessionOf(request);
  const remembered = await devices.listRemembered(current.userId);
  if (remembered.length === 0) return '';
  const items = remembered.map(({ id, user_agent: agent, remembered_until: until }) => {
    const name = nameDevice(agent ?? undefined) ?? t('page.sessions.unknown');
    return html`<li>
      <div>
        <strong>${name}</strong>
        <small>!${withTimes(t, 'page.sessions.remembered_until', { until: until ?? 0 }, 'day')}</small>
      </div>
      <form method="post" action="${paths.sessions}/devices">
        !${pages.formToken(current.id)}
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

/** The forms that remove remembered devices. */
export function rememberedDevicePages({
  pages,
  devices,
}: RememberedDevicePageParts): FastifyPluginAsyncTypebox {
  return pageForms(pages, {
    subject: (request) => sessionOf(request).id,
    forms: [
      form({
        path: `${paths.sessions}/devices`,
        summary: 'Page: forgets a device',
        fields: Type.Object({ id: Type.Optional(formField) }),
        back: () => paths.sessions,
        submit: async ({ id = '' }, { request }) => {
          await devices.forget(sessionOf(request), id, request.source);
          return paths.sessions;
        },
      }),
    ],
  });
}

/** The checkbox that remembers this device, below the prompt for a second factor. */
export function rememberDevicePart(days: number): SectionPart {
  return {
    section: 'factor',
    render: ({ t, typed }) =>
      html`<label class="choice">
        <input
          type="checkbox"
          name="remember_device"
          value="true"
          !${typed('remember_device') === 'true' ? 'checked' : ''}
        />
        ${t('page.factor.remember', { days })}
      </label>`,
  };
}
