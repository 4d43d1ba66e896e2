// Builds all rules. The result has one member per rule; routes, pages and features take the members that they call.
import { dayMs, type Clock } from '../kit/clock.ts';
import type { Log } from '../kit/log.ts';
import type { Database } from '../db/database.ts';
import type { Recorder } from '../audit/event.ts';
import type { AddressRule } from '../user/email-address.ts';
import type { PasswordCheck, PasswordRule } from '../user/password-rule.ts';
import { AccountAccess } from './account/access.ts';
import { Accounts } from './account/account.ts';
import { EmailVerification, verificationKind } from './account/verification.ts';
import { Attempts } from './attempt/attempts.ts';
import type { AuthContext, CodeSigner, PasswordHasher } from './context.ts';
import {
  purgeAll,
  type ClosedAccounts,
  type DenialSource,
  type PersonalData,
  type Purgeable,
  type Revocable,
  type SessionEnding,
} from './contribution.ts';
import { Details } from './details/details.ts';
import { Enrollment, factorUndoKind } from './enrollment/enrollment.ts';
import { Events, type EventSubscriber, type MailQueue } from './event.ts';
import type { SecondFactor, SecondFactorPolicy, StoredFactor } from './factor/factor.ts';
import { SecondFactors } from './factor/second-factor.ts';
import { PendingRegistrations } from './registration/pending-registrations.ts';
import { PasswordChange } from './password/change.ts';
import { PasswordLogin } from './password/login.ts';
import { PasswordReset, resetKind } from './password/reset.ts';
import { passwordRule } from './password/rule.ts';
import { personalDataOf } from './personal-data.ts';
import { Sessions } from './session/session.ts';
import { Devices } from './sign-in/devices.ts';
import { SignIn } from './sign-in/sign-in.ts';
import { StepUp } from './step-up/step-up.ts';
import { OneTimeTokens } from './token/one-time-token.ts';
import type { TokenKind } from './token/kinds.ts';

export interface IdentityParts {
  readonly db: Database;
  readonly hasher: PasswordHasher;
  readonly clock: Clock;
  readonly log: Log;
  readonly audit: Recorder;
  /** Undefined if no mail is sent. */
  readonly post: MailQueue | undefined;
  /** Computes and checks the MACs of short codes. */
  readonly codes: CodeSigner;
  readonly options: IdentityOptions;
}

/** Options of the rules, under the names of config/options.ts. */
export interface IdentityOptions {
  /** Users get no session before their address is confirmed. Requires `post`. */
  readonly emailConfirmation: boolean;
  /** Who creates accounts. */
  readonly signUp: 'open' | 'closed';
  /** Code points of the shortest password. */
  readonly passwordMinLength: number;
  /** Replaces the rule of `passwordMinLength` and the password checks. */
  readonly passwordRule?: PasswordRule | undefined;
  /** Absolute life of a session. */
  readonly sessionDays: number;
  /** Life of a session without a request. */
  readonly sessionIdleDays: number;
  /** Sessions of one user; a new one replaces the oldest. */
  readonly sessionsPerUser: number;
  readonly resetTokenMinutes: number;
  /** How long a device is known after a sign-in; 0 knows no devices. */
  readonly knownDeviceDays: number;
  /** Whether sign-in requires a second factor. */
  readonly secondFactor: SecondFactorPolicy;
}

/** Returns true if the user can sign in this way. */
export type WayIn = (db: Database, userId: number) => Promise<boolean>;

/**
 * Contributions of modules. They push into the arrays before the first request; the rules read them at each call.
 * `createIdentity` adds the contributions of the rules.
 */
export interface Plugged {
  /** In the order in which pages offer them. */
  readonly secondFactors: SecondFactor[];
  /** What is stored about second factors, offered or not: it is removed, exported and counted. */
  readonly storedFactors: StoredFactor[];
  readonly revokes: Revocable[];
  readonly exports: PersonalData[];
  readonly purges: Purgeable[];
  /** Kinds of mailed tokens. */
  readonly tokenKinds: TokenKind[];
  /** Run in this order. */
  readonly passwordChecks: PasswordCheck[];
  /** All must accept an address. */
  readonly addressChecks: AddressRule[];
  /** Ways to sign in other than by password and authenticators. */
  readonly waysIn: WayIn[];
  readonly denials: DenialSource[];
  /** At most one: the feature that closes accounts. */
  readonly closedAccounts: ClosedAccounts[];
  /** Run for each event, inside its transaction. */
  readonly subscribes: EventSubscriber[];
  /** Run when sessions end, inside the transaction that ends them. */
  readonly sessionEndings: SessionEnding[];
}

/** Creates the arrays, with initial contributions of the caller. */
export function createPlugged(initial: Partial<Plugged> = {}): Plugged {
  const none = {
    revokes: [],
    exports: [],
    purges: [],
    secondFactors: [],
    storedFactors: [],
    tokenKinds: [],
    passwordChecks: [],
    addressChecks: [],
    waysIn: [],
    denials: [],
    closedAccounts: [],
    subscribes: [],
    sessionEndings: [],
  };
  return { ...none, ...initial };
}

/** The rules. */
export interface Identity {
  /** Dependencies of the rules; features that build their own rules take it too. */
  readonly context: AuthContext;
  readonly plugged: Plugged;
  readonly access: AccountAccess;
  readonly accounts: Accounts;
  readonly attempts: Attempts;
  readonly details: Details;
  readonly devices: Devices;
  readonly emailVerification: EmailVerification;
  readonly enrollment: Enrollment;
  /** Records what happens and mails it to the owner of the account. */
  readonly events: Events;
  readonly passwordChange: PasswordChange;
  readonly passwordLogin: PasswordLogin;
  readonly passwordReset: PasswordReset;
  readonly registrations: PendingRegistrations;
  readonly secondFactors: SecondFactors;
  readonly sessions: Sessions;
  readonly signIn: SignIn;
  readonly stepUp: StepUp;
  readonly tokens: OneTimeTokens;
  /** Removes all expired rows in batches and returns how many. Rows that go with a removed account are not counted. */
  purge(): Promise<number>;
}

/** Builds the rules and adds their own contributions to `plugged`. */
export function createIdentity(
  { options, audit, post, ...parts }: IdentityParts,
  plugged: Plugged,
): Identity {
  const { clock } = parts;
  const events = new Events({
    audit,
    outbox: post,
    clock,
    subscribers: plugged.subscribes,
    isOwner: async (tx, user, source) => {
      const session = await sessions.find(source.sessionToken, tx);
      const device = await devices.find(user, source.deviceToken, tx);
      return user !== undefined && (session?.userId === user.id || device !== undefined);
    },
  });
  const context = {
    ...parts,
    ...accountRules(options, plugged),
    events,
    publicUrl: post?.publicUrl ?? '',
    emailConfirmation: options.emailConfirmation,
    isSignUpOpen: options.signUp === 'open',
  };
  const details = new Details(context);
  const attempts = new Attempts(parts.db, clock);
  const tokens = new OneTimeTokens(context, { attempts, kinds: plugged.tokenKinds });
  const { secondFactor: policy, resetTokenMinutes: minutes } = options;
  const { secondFactors: factors, storedFactors: stored } = plugged;
  const secondFactors = new SecondFactors(context, attempts, { factors, stored, policy });
  const access = new AccountAccess(plugged.revokes, clock);
  const sessionNeeds = { methods: secondFactors, access, endings: plugged.sessionEndings };
  const sessions = new Sessions(context, sessionNeeds, {
    sessionMs: options.sessionDays * dayMs,
    idleMs: options.sessionIdleDays * dayMs,
    perUser: options.sessionsPerUser,
  });
  const registrations = new PendingRegistrations(context, { access, attempts });
  const confirmation = { access, attempts, registrations, secondFactors };
  const emailVerification = new EmailVerification(context, { ...confirmation, tokens });
  const accounts = new Accounts(context, { ...confirmation, emailVerification });
  const devices = new Devices(context, {
    knownMs: options.knownDeviceDays * dayMs,
  });
  const { closedAccounts } = plugged;
  const signIn = new SignIn(context, { sessions, secondFactors, devices, closedAccounts });
  const passwordLogin = new PasswordLogin(context, { attempts, devices, signIn });
  const stepUp = new StepUp(context, { passwords: passwordLogin, secondFactors, sessions, devices });
  const passwordReset = new PasswordReset(context, accounts, { tokens, minutes });
  const passwordChange = new PasswordChange(context, { accounts, sessions, stepUp });
  const signedIn = { accounts, access, sessions, signIn, devices, stepUp, secondFactors };
  const enrollment = new Enrollment(context, {
    ...signedIn,
    sendReset: (tx, user, source) => passwordReset.send(tx, user, source, { isProven: true }),
    tokens,
    waysIn: plugged.waysIn,
  });
  plugged.tokenKinds.push(verificationKind, resetKind, factorUndoKind);
  plugged.exports.push(...personalDataOf({ clock, attempts, registrations, secondFactors, sessions }));
  plugged.revokes.unshift(sessions, tokens, signIn, devices, registrations);
  plugged.purges.push(sessions, tokens, signIn, devices, registrations, secondFactors, attempts);
  return {
    ...signedIn,
    context,
    plugged,
    events,
    details,
    attempts,
    emailVerification,
    enrollment,
    passwordChange,
    passwordLogin,
    passwordReset,
    registrations,
    tokens,
    purge: () => purgeAll(plugged.purges),
  };
}

/** Returns the rules for new passwords and new addresses. */
function accountRules(
  options: IdentityOptions,
  { passwordChecks: checks, addressChecks }: Plugged,
): Pick<AuthContext, 'passwordRule' | 'addressRule'> {
  return {
    passwordRule: options.passwordRule ?? passwordRule({ minLength: options.passwordMinLength, checks }),
    addressRule: async (address) => {
      for (const check of addressChecks) await check(address);
    },
  };
}
