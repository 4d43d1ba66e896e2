// The options of `Auth`, and those of the rules that follow from them.
import { modules } from '../app/modules.ts';
import type { Service } from '../app/service.ts';
import type { Recorder } from '../audit/event.ts';
import { localDefault } from '../config/option.ts';
import type { CodeSigner, PasswordHasher } from '../identity/context.ts';
import type { NewDetails } from '../identity/details/details.ts';
import type { SecondFactor, SecondFactorPolicy } from '../identity/factor/factor.ts';
import { createPlugged, type IdentityOptions, type Plugged } from '../identity/identity.ts';
import { identityOptions as defaults } from '../identity/options.ts';
import { dayMs, type Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import type { Outbox } from '../mail/outbox.ts';
import type { AddressRule } from '../user/email-address.ts';
import type { PasswordRule } from '../user/password-rule.ts';
import type { DB } from './db.ts';
import { requireMembers, requireService, type Members } from './members.ts';

/** Parts and options of an `Auth`. All but the database have a default. */
export interface AuthOptions {
  readonly db: DB;
  readonly hasher?: PasswordHasher;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Records audit events; none by default. @internal */
  readonly audit?: Recorder;
  /** Sends mails to users; none by default. @internal */
  readonly post?: Outbox;
  /** MACs of short codes; plain digests by default. @internal */
  readonly codes?: CodeSigner;
  /** No session before the address is confirmed; needs `post`. False by default. @internal */
  readonly emailConfirmation?: boolean;
  /** Decides which passwords may be set; by default any non-empty one. */
  readonly passwordRule?: PasswordRule;
  /** Decides which addresses an account may have; by default any. */
  readonly addressRule?: AddressRule;
  /** Absolute life of a session; 30 by default. */
  readonly sessionDays?: number;
  /** Life of a session without a request; 7 by default. */
  readonly sessionIdleDays?: number;
  /** Sessions of one user; a new one replaces the oldest. 50 by default. */
  readonly sessionsPerUser?: number;
  /** Life of a reset token; 60 by default. */
  readonly resetTokenMinutes?: number;
  /** How long a device is known after a sign-in; 0, the default, knows no devices. */
  readonly knownDeviceDays?: number;
  /** How long a remembered device needs no second factor; 0, the default, disables remembering. @internal */
  readonly rememberedDeviceDays?: number;
  /** Second factors that users can enroll; none by default. @internal */
  readonly secondFactors?: readonly SecondFactor[];
  /** Whether sign-in requires a second factor; by default only of users who have enrolled one. @internal */
  readonly secondFactorPolicy?: SecondFactorPolicy;
  /** Users may sign in by a mailed link. @internal */
  readonly emailSignIn?: boolean;
}

const authOptions: Members<AuthOptions> = {
  db: 'object',
  hasher: 'object',
  clock: 'function',
  log: 'object',
  audit: 'object',
  post: 'object',
  codes: 'object',
  emailConfirmation: 'boolean',
  passwordRule: 'function',
  addressRule: 'function',
  sessionDays: 'number',
  sessionIdleDays: 'number',
  sessionsPerUser: 'number',
  resetTokenMinutes: 'number',
  knownDeviceDays: 'number',
  rememberedDeviceDays: 'number',
  secondFactors: 'object',
  secondFactorPolicy: 'string',
  emailSignIn: 'boolean',
};

/** The minimum of each option that is a number. */
const minNumbers = {
  sessionDays: 1,
  sessionIdleDays: 1,
  sessionsPerUser: 1,
  resetTokenMinutes: 1,
  knownDeviceDays: 0,
  rememberedDeviceDays: 0,
} as const satisfies Partial<Record<keyof AuthOptions, number>>;
/** The maximum of each of them: a hundred years in days. A sum of instants stays an exact number. */
const maxNumber = 36_500;

/** Requires the options of an `Auth`. @throws {TypeError} @throws {RangeError}. */
export function requireAuthOptions(options: AuthOptions | { readonly service: Service }): void {
  if (typeof options === 'object' && options !== null && 'service' in options)
    return requireService('Auth', options.service);
  requireMembers('Auth', options, authOptions);
  if ((options.db as Partial<DB> | undefined)?.database === undefined)
    throw new TypeError('The option db of Auth must be an opened database: new Auth({ db: await openDb() })');
  for (const [name, value] of Object.entries(options))
    if (value === null) throw new TypeError(`The option ${name} of Auth must not be null; leave it out`);
  const { hasher } = options;
  if (hasher !== undefined && (typeof hasher.hash !== 'function' || typeof hasher.verify !== 'function'))
    throw new TypeError(
      'The option hasher of Auth must have the methods hash and verify, as new Hasher() has',
    );
  for (const [name, min] of Object.entries(minNumbers)) {
    const value = options[name as keyof typeof minNumbers];
    if (value === undefined || (Number.isInteger(value) && value >= min && value <= maxNumber)) continue;
    throw new RangeError(
      `The option ${name} of Auth must be a whole number from ${min} to ${maxNumber}, not ${value}`,
    );
  }
}

const detailMembers: Members<NewDetails> = {
  name: 'string',
  picture: 'string',
  externalId: 'string',
  publicMetadata: 'object',
  privateMetadata: 'object',
};

/** Requires the details of a user. @throws {TypeError}. */
export function requireDetails(details: NewDetails): void {
  requireMembers('setDetails', details, detailMembers);
}

/** Returns what plugs into the rules. */
export function pluggedOf(options: AuthOptions): Plugged {
  return createPlugged({
    // Those of features too: a new password must not revoke the undo of a changed address.
    tokenKinds: modules.flatMap(({ tokenKinds }) => tokenKinds),
    waysIn: options.emailSignIn === true ? [async () => true] : [],
    storedFactors: modules.flatMap(({ storedFactors }) => storedFactors),
    revokes: modules.flatMap(({ revokes }) => revokes),
    sessionEndings: [...options.db.sessionEndings],
    secondFactors: [...(options.secondFactors ?? [])],
    addressChecks: options.addressRule === undefined ? [] : [options.addressRule],
  });
}

/** Returns for how long a device that a user remembers needs no second factor, in milliseconds. */
export function rememberingMs(options: AuthOptions): number {
  return (options.rememberedDeviceDays ?? 0) * dayMs;
}

/** Returns the options of the rules. A missing one has the default of local mode. */
export function identityOptionsOf(options: AuthOptions): IdentityOptions {
  return {
    emailConfirmation: options.emailConfirmation ?? localDefault(defaults.emailConfirmation),
    signUp: localDefault(defaults.signUp),
    passwordMinLength: localDefault(defaults.passwordMinLength),
    passwordRule: options.passwordRule,
    sessionDays: options.sessionDays ?? localDefault(defaults.sessionDays),
    sessionIdleDays: options.sessionIdleDays ?? localDefault(defaults.sessionIdleDays),
    sessionsPerUser: options.sessionsPerUser ?? localDefault(defaults.sessionsPerUser),
    resetTokenMinutes: options.resetTokenMinutes ?? localDefault(defaults.resetTokenMinutes),
    knownDeviceDays: options.knownDeviceDays ?? localDefault(defaults.knownDeviceDays),
    secondFactor: options.secondFactorPolicy ?? localDefault(defaults.secondFactor),
  };
}
