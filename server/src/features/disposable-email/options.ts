import { option } from '../../config/option.ts';
import { oneOf } from '../../config/parse.ts';

export const disposableEmailOptions = {
  disposableEmails: option({
    env: 'DISPOSABLE_EMAILS',
    parse: oneOf('allowed', 'refused'),
    says: 'Whether users may register with, or change to, an address of a disposable email service: `refused` rejects them. The list is included. Existing accounts are not affected.',
    default: () => 'allowed',
  }),
} as const;
