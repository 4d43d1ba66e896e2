import { option } from '../../config/option.ts';
import { integer } from '../../config/parse.ts';

export const signInOptions = {
  knownDeviceDays: option({
    env: 'KNOWN_DEVICE_DAYS',
    parse: integer(0, 400),
    says: 'Days for which a cookie marks a browser as known after a login. On a known browser, failed attempts from other places do not lock out the user. 0 turns this off.',
    default: ({ isPublic }) => (isPublic ? 180 : 0),
    defaultSays: '180 in public mode, 0 in local mode',
  }),
} as const;
