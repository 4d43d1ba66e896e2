// The feature's part of the tests that run for every feature.
import type { FeatureKit } from '../../../../test/support/kit.ts';

export const kit: FeatureKit = {
  feature: 'breach-check',
  wrongOptions: {
    BREACH_CHECK_URL: [
      'https://api.pwnedpasswords.com',
      'https://api.pwnedpasswords.com/',
      'http://api.example.org',
      'nonsense',
      'https://user:hunter2@example.org',
    ],
  },
};
