import { option, type OptionCheck, type OptionValues } from '../../config/option.ts';
import { flag, integer, oneOf } from '../../config/parse.ts';
import { factorOptions } from '../factor/options.ts';

/** NIST SP 800-63B-4 §3.1.1.2: minimum lengths of a password as the only factor, and with a required second factor. */
const minPublicLength = { alone: 15, withSecondFactor: 8 };

export const passwordOptions = {
  passwordMinLength: option({
    env: 'PASSWORD_MIN_LENGTH',
    parse: integer(1, 64),
    says: 'Minimum length of a new password, in characters. Public mode requires at least 15, or 8 if every user must have a second factor.',
    default: ({ isPublic, valueOf }) => {
      if (!isPublic) return 1;
      const isAlone = valueOf(factorOptions.secondFactor) !== 'required';
      return isAlone ? minPublicLength.alone : minPublicLength.withSecondFactor;
    },
    defaultSays: '1 in local mode; in public mode 15, or 8 with `SECOND_FACTOR=required`',
  }),
  passwordBlocklist: option({
    env: 'PASSWORD_BLOCKLIST',
    parse: flag,
    says: 'Rejects new passwords that are easy to guess: common passwords, repetitions, keyboard sequences, the name of the service, the email address of the user. Always on in public mode.',
    default: ({ isPublic }) => isPublic,
    defaultSays: 'false in local mode, true in public mode',
  }),
  resetTokenMinutes: option({
    env: 'RESET_TOKEN_MINUTES',
    parse: integer(5, 1440),
    says: 'Minutes for which a password reset token is valid.',
    default: () => 60,
  }),
  resetTokenBy: option({
    env: 'RESET_TOKEN_BY',
    parse: oneOf('reply', 'mail'),
    says: 'How a password reset token is delivered: in the `reply`, for development, or by `mail`. Public mode allows `mail` only.',
    default: ({ isPublic }) => (isPublic ? 'mail' : 'reply'),
    defaultSays: 'reply in local mode, mail in public mode',
  }),
} as const;

/** Returns the faults of these options: rules of public mode for passwords and reset tokens. */
export const checkPasswordOptions: OptionCheck<
  OptionValues<typeof passwordOptions & typeof factorOptions>
> = (values, { isPublic, faulty }) => {
  if (!isPublic) return [];
  const faults: string[] = [];
  if (values.resetTokenBy === 'reply') {
    faults.push(
      'RESET_TOKEN_BY is reply, which would let anyone take over any account in public mode. Remove it, or set it to mail.',
    );
  }
  const isAlone = values.secondFactor !== 'required';
  const minLength = isAlone ? minPublicLength.alone : minPublicLength.withSecondFactor;
  if (values.passwordMinLength < minLength && !faulty.has('passwordMinLength')) {
    faults.push(
      `PASSWORD_MIN_LENGTH must be at least ${minLength} in public mode${isAlone ? ' when the password is the only factor' : ''}`,
    );
  }
  if (!values.passwordBlocklist) {
    faults.push(
      'PASSWORD_BLOCKLIST is false, which would allow common passwords in public mode. Remove it, or set it to true.',
    );
  }
  return faults;
};
