// Lists and removes the remembered devices of the user.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import Type, { type Static } from 'typebox';
import { formatInstant as instant } from '../../kit/clock.ts';
import { nameDevice } from '../../kit/device.ts';
import { Problem } from '../../kit/problem.ts';
import { handle, Message } from '../../http/fields.ts';
import type { RememberedDevice } from '../../identity/sign-in/device-store.ts';
import { sessionOf } from '../../identity/session/guard.ts';
import type { Devices } from '../../identity/sign-in/devices.ts';

const Instant = Type.String({ format: 'date-time' });
const DeviceList = Type.Object({
  devices: Type.Array(
    Type.Object({
      id: Type.String(),
      device: Type.Optional(Type.String({ description: 'Browser and operating system, if known' })),
      created_at: Instant,
      remembered_until: Instant,
    }),
  ),
});

/** The routes of remembered devices. */
export function rememberedDeviceRoutes({
  devices,
}: {
  readonly devices: Devices;
}): FastifyPluginAsyncTypebox {
  return async (scope) => {
    scope.get(
      '/profile/devices',
      {
        schema: {
          summary: 'Lists the remembered devices, on which no second factor is required',
          response: { 200: DeviceList },
        },
      },
      async (request) => {
        const rows = await devices.listRemembered(sessionOf(request).userId);
        return { devices: rows.map(describeDevice) };
      },
    );

    scope.delete(
      '/profile/devices/:id',
      {
        schema: {
          summary: 'Forgets a remembered device',
          params: Type.Object({ id: handle }),
          response: { 200: Message },
        },
      },
      async (request) => {
        const { id } = request.params;
        if (!(await devices.forget(sessionOf(request), id, request.source))) throw new Problem('not_found');
        return { message: 'device forgotten' };
      },
    );
  };
}

function describeDevice(row: RememberedDevice): Static<typeof DeviceList>['devices'][number] {
  const name = nameDevice(row.user_agent ?? undefined);
  return {
    id: row.id,
    ...(name !== undefined && { device: name }),
    created_at: instant(row.created_at),
    remembered_until: instant(row.remembered_until ?? 0),
  };
}
