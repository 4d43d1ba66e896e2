// Remembered devices: sign-in on them asks for no second factor for a limited time.
import { dayMs } from '../../kit/clock.ts';
import { module } from '../../module.ts';
import { rememberDevicePart, rememberedDevicePages, rememberedDevicePart } from './pages.ts';
import { rememberedDeviceRoutes } from './routes.ts';
import { rememberedDeviceOptions } from './options.ts';

export const rememberedDevice = module({
  name: 'remembered-device',
  title: 'Remembered devices',
  messages: new URL('./messages/', import.meta.url).href,
  options: rememberedDeviceOptions,
  isOn: ({ secondFactor, rememberedDeviceDays }) => secondFactor !== 'off' && rememberedDeviceDays > 0,
  build: ({ devices, pages }, { rememberedDeviceDays: days, secondFactor }) => {
    if (secondFactor !== 'off') devices.allowRemembering(days * dayMs);
    return {
      routes: [
        { access: 'session', json: rememberedDeviceRoutes({ devices }) },
        { access: 'session', pages: rememberedDevicePages({ pages, devices }) },
      ],
      parts: [rememberedDevicePart({ pages, devices }), rememberDevicePart(days)],
    };
  },
});
