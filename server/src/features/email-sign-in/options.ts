import { option } from '../../config/option.ts';
import { flag } from '../../config/parse.ts';

export const emailSignInOptions = {
  emailSignIn: option({
    env: 'EMAIL_SIGN_IN',
    parse: flag,
    says: 'Lets users sign in with an emailed link or code. It never counts as a second factor.',
    default: () => false,
  }),
} as const;
