// The passkeys section of the account page, and the prompt for a passkey as second factor.
import { html } from 'ghtml';
import { scriptInputs } from '../../identity/factor/prompt.ts';
import type { AccountSection } from '../../page/account-section.ts';
import type { FactorPrompt } from '../../identity/factor/prompt.ts';

export const passkeySection = {
  path: '/account/passkeys',
  name: 'passkeys',
  icon: 'key',
  group: 'sign_in',
} as const satisfies AccountSection;

/** Asks for a passkey as second factor and for a step-up. */
export const passkeyPrompt: FactorPrompt = {
  factor: 'passkey',
  inputs: scriptInputs,
  script: (purpose) => {
    const path = purpose === 'step_up' ? '/sessions/step_up/passkey' : '/sessions/factor/passkey';
    return html`data-webauthn="get" data-options="${path}"`;
  },
};
