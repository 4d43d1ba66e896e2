// All options of the service: those of the core, and those that each module declares in its `options.ts`. The order is that
// of docs/configuration.md and `bienvenue config`.
import { checkCoreOptions, coreOptions } from '../config/options.ts';
import {
  readOptionSet,
  type Configuration as ConfigurationOf,
  type Environment,
} from '../config/read-options.ts';
import { checkSessionOptions, sessionOptions } from '../identity/session/options.ts';
import { signInOptions } from '../identity/sign-in/options.ts';
import { factorOptions } from '../identity/factor/options.ts';
import { rememberedDeviceOptions } from '../features/remembered-device/options.ts';
import { passkeyOptions } from '../features/passkey/options.ts';
import { checkPasswordOptions, passwordOptions } from '../identity/password/options.ts';
import { breachCheckOptions } from '../features/breach-check/options.ts';
import { checkAccountOptions, accountOptions } from '../identity/account/options.ts';
import { emailSignInOptions } from '../features/email-sign-in/options.ts';
import { disposableEmailOptions } from '../features/disposable-email/options.ts';

export const allOptions = {
  ...coreOptions,
  ...sessionOptions,
  ...signInOptions,
  ...factorOptions,
  ...rememberedDeviceOptions,
  ...passkeyOptions,
  ...passwordOptions,
  ...breachCheckOptions,
  ...accountOptions,
  ...emailSignInOptions,
  ...disposableEmailOptions,
} as const;

const checks = [checkCoreOptions, checkSessionOptions, checkPasswordOptions, checkAccountOptions];

export type OptionName = keyof typeof allOptions;
export type Configuration = ConfigurationOf<typeof allOptions>;

/**
 * Reads all options.
 * @throws {ConfigurationFault} if the file, a value or a combination of values is invalid; it lists every fault.
 */
export function readOptions(environment: Environment): Configuration {
  return readOptionSet(environment, { table: allOptions, checks });
}
