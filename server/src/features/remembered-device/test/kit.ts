// The feature's part of the tests that run for every feature.
import type { FeatureKit } from '../../../../test/support/kit.ts';

export const kit: FeatureKit = {
  feature: 'remembered-device',
  wrongOptions: { REMEMBERED_DEVICE_DAYS: ['many', '-1', '1.5', '99999999999'] },
  forms: {
    '/account/sessions/devices': { id: 'none' },
  },
  keepsSession: ['DELETE /profile/devices/:id', 'POST /account/sessions/devices'],
};
