// The feature's part of the tests that run for every feature.
import type { FeatureKit } from '../../../../test/support/kit.ts';

export const kit: FeatureKit = {
  feature: 'email-sign-in',
  wrongOptions: { EMAIL_SIGN_IN: ['yes', '1', 'TRUE'] },
  forms: {
    '/sign-in/link': { email: 'x@example.org', token: 'x' },
    '/sign-in/code': { token: 'x' },
    '/sign-in/code/again': {},
    '/sign-in/email': { email: 'x@example.org' },
  },
};
