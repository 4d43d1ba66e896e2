import { option } from '../../config/option.ts';
import { flag, origins } from '../../config/parse.ts';

export const passkeyOptions = {
  passkeys: option({
    env: 'PASSKEYS',
    parse: flag,
    says: 'Lets users add passkeys, to sign in with and as a second factor.',
    default: () => true,
  }),
  passkeyOrigins: option<readonly string[]>({
    env: 'PASSKEY_ORIGINS',
    parse: origins,
    says: 'Additional origins that may use the passkeys of this service. Browsers read the list at `/.well-known/webauthn`. If pages of these origins call the API, add them to ALLOWED_ORIGINS too.',
    default: () => [],
    defaultSays: 'none',
  }),
} as const;
