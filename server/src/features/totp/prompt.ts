// The authenticator apps section of the account page, and the prompt for a code.
import { codeInputs } from '../../identity/factor/prompt.ts';
import type { AccountSection } from '../../page/account-section.ts';
import type { FactorPrompt } from '../../identity/factor/prompt.ts';

export const totpSection = {
  path: '/account/authenticators',
  name: 'totp',
  icon: 'phone',
  group: 'sign_in',
} as const satisfies AccountSection;

export const totpPrompt: FactorPrompt = {
  factor: 'totp',
  inputs: (t, fault) => codeInputs('totp', 'digits', { label: t('page.totp.code'), fault }),
};
