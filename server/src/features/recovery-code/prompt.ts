// The recovery codes section of the account page, and the prompt for a code.
import { codeInputs } from '../../identity/factor/prompt.ts';
import type { AccountSection } from '../../page/account-section.ts';
import type { FactorPrompt } from '../../identity/factor/prompt.ts';

export const recoveryCodeSection = {
  path: '/account/recovery-codes',
  name: 'recovery_codes',
  icon: 'lifebuoy',
  group: 'sign_in',
  followsFirstFactor: true,
} as const satisfies AccountSection;

export const recoveryCodePrompt: FactorPrompt = {
  factor: 'recovery_code',
  inputs: (t, fault) =>
    codeInputs('recovery_code', 'recovery', { label: t('page.recovery_codes.code'), fault }),
};
