import { option, type OptionCheck, type OptionValues } from '../../config/option.ts';
import { flag, oneOf } from '../../config/parse.ts';

export const accountOptions = {
  revealAccounts: option({
    env: 'REVEAL_ACCOUNTS',
    parse: flag,
    says: 'Whether the reply to a registration says that the email is taken. If false, the reply is the same as for a new email, and the owner gets an email.',
    default: ({ isPublic }) => !isPublic,
    defaultSays: 'true in local mode, false in public mode',
  }),
  signUp: option<'open' | 'closed'>({
    env: 'SIGN_UP',
    parse: oneOf('open', 'closed'),
    says: 'Who creates accounts. `open`: anyone. `closed`: only the operator, with `bienvenue user add` or the library; every way to register answers `sign_up_closed`.',
    default: () => 'open',
  }),
  emailConfirmation: option({
    env: 'EMAIL_CONFIRMATION',
    parse: flag,
    says: 'Requires users to confirm their email with an emailed token before the first session. Always on in public mode.',
    default: ({ isPublic }) => isPublic,
    defaultSays: 'false in local mode, true in public mode',
  }),
} as const;

/** Returns the faults of these options: public mode requires email confirmation. */
export const checkAccountOptions: OptionCheck<OptionValues<typeof accountOptions>> = (
  values,
  { isPublic, faulty },
) =>
  isPublic && !values.emailConfirmation && !faulty.has('emailConfirmation')
    ? [
        'EMAIL_CONFIRMATION is false, which would let anyone register with an email of another person in public mode. Remove it, or set it to true.',
      ]
    : [];
