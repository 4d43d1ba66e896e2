// The authenticator apps section of the account page with its state, and the prompt for a code.
import { codeInputs } from '../../identity/factor/prompt.ts';
import type { Translate } from '../../http/pages.ts';
import type { AccountSection, SectionState } from '../../page/account-section.ts';
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

/** Returns the state of the section for the account page. */
export function stateOf(t: Translate, rows: readonly object[]): SectionState {
  if (rows.length === 0) return { text: t('page.factor.off') };
  return { text: t('page.totp.count', { count: rows.length }), tone: 'good' };
}
