// The feature's part of the tests that run for every feature.
import type { FeatureKit } from '../../../../test/support/kit.ts';

export const kit: FeatureKit = {
  feature: 'disposable-email',
  wrongOptions: { DISPOSABLE_EMAILS: ['no'] },
};
