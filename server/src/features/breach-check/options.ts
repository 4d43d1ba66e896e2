import { option } from '../../config/option.ts';
import { rangeUrl } from '../../config/parse.ts';

export const breachCheckOptions = {
  breachCheckUrl: option<URL | undefined>({
    env: 'BREACH_CHECK_URL',
    parse: rangeUrl,
    says: 'Service that lists breached passwords (the range API of Pwned Passwords). It receives the first five hex digits of the SHA-1 of each new password. If it does not answer, the password is accepted.',
    default: () => undefined,
    defaultSays: 'none: no breach check',
  }),
} as const;
