import { option } from '../../config/option.ts';
import { integer } from '../../config/parse.ts';

export const rememberedDeviceOptions = {
  rememberedDeviceDays: option({
    env: 'REMEMBERED_DEVICE_DAYS',
    parse: integer(0, 90),
    says: 'Days for which a user can choose not to be asked for the second factor on a device. A change of the password or of an authenticator ends this. 0 always asks.',
    default: () => 0,
  }),
} as const;
