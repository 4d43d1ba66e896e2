// The options of all identity modules. Every module may read them.
import { accountOptions } from './account/options.ts';
import { factorOptions } from './factor/options.ts';
import { passwordOptions } from './password/options.ts';
import { sessionOptions } from './session/options.ts';
import { signInOptions } from './sign-in/options.ts';

export const identityOptions = {
  ...accountOptions,
  ...factorOptions,
  ...passwordOptions,
  ...sessionOptions,
  ...signInOptions,
} as const;
