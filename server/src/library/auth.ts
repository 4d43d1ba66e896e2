// Class Auth: the contract's verbs and what a program needs beyond them, for use without HTTP. Parses strings, names the
// program as the source, and delegates to the rules of identity/. Routes, pages and commands take the rules themselves.
import { systemClock, type Clock } from '../kit/clock.ts';
import { silentLog, type Log } from '../kit/log.ts';
import { Problem } from '../kit/problem.ts';
import { Hasher } from '../hash/hasher.ts';
import { noRecorder, programSource, type Recorder } from '../audit/event.ts';
import type { Outbox } from '../mail/outbox.ts';
import {
  requireEmailAddress,
  toEmailAddress,
  type AddressRule,
  type EmailAddress,
} from '../user/email-address.ts';
import type { PasswordRule } from '../user/password-rule.ts';
import { findUserById } from '../user/store.ts';
import type { User } from '../user/user.ts';
import type { Attach } from '../identity/account/account.ts';
import type { ClientSource, CodeSigner } from '../identity/context.ts';
import type { SecondFactor, SecondFactorPolicy } from '../identity/factor/factor.ts';
import { createIdentity, createPlugged, type Identity } from '../identity/identity.ts';
import type { Session } from '../identity/session/session.ts';
import type { SessionSummary } from '../identity/session/store.ts';
import type { RememberedDevice } from '../identity/sign-in/device-store.ts';
import type { Login, SignIn } from '../identity/sign-in/sign-in.ts';
import type { StepUp } from '../identity/sign-in/step-up.ts';
import type { Enrollment } from '../identity/enrollment/enrollment.ts';
import type { SecondFactors } from '../identity/factor/second-factor.ts';
import { unkeyedCodes } from '../identity/token/one-time-token.ts';
import { AccountDeletion, deletionUndoKind } from '../features/account-deletion/deletion.ts';
import { DataExports } from '../features/data-export/data-export.ts';
import { EmailChange, emailChangeKind, emailUndoKind } from '../features/email-change/email-change.ts';
import { EmailSignIn, emailSignInKind } from '../features/email-sign-in/email-sign-in.ts';
import type { DB } from './db.ts';

export interface AuthOptions {
  readonly db: DB;
  readonly hasher?: Hasher;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Records deeds; without it none are. */
  readonly audit?: Recorder;
  /** Sends mails to the owners of accounts; without it none are sent. */
  readonly post?: Outbox;
  /** Digests of short codes, keyed; plain ones by default. */
  readonly codes?: CodeSigner;
  /** No session before the address is confirmed; needs `post`. */
  readonly confirmEmail?: boolean;
  /** What a new password must be; any non-empty one by default. */
  readonly passwordRule?: PasswordRule;
  /** Which address a new account, or a changed one, may have; any by default. */
  readonly addressRule?: AddressRule;
  /** Absolute life of a session. */
  readonly sessionDays?: number;
  /** Life of a session without a request. */
  readonly sessionIdleDays?: number;
  /** Sessions a user may hold; the oldest goes. */
  readonly sessionsPerUser?: number;
  /** Life of a reset token. */
  readonly resetTokenMinutes?: number;
  /** How long a device is known after a login on it; 0 knows none. */
  readonly knownDeviceDays?: number;
  /** How long no second factor is asked for on a device whose owner wishes it; 0 always asks. */
  readonly rememberedDeviceDays?: number;
  /** Kinds of second factor that may be set up; none by default. */
  readonly secondFactors?: readonly SecondFactor[];
  /** Of whom a second factor is asked. */
  readonly secondFactorPolicy?: SecondFactorPolicy;
  /** People may sign in by mail. */
  readonly signsInByEmail?: boolean;
}

export class Auth {
  /** The rules. */
  readonly identity: Identity;
  // The features' rules, until each feature's module.ts builds its own.
  readonly dataExports: DataExports;
  readonly deletions: AccountDeletion;
  readonly emailChange: EmailChange;
  readonly emailSignIn: EmailSignIn;

  constructor(options: AuthOptions) {
    const { db, hasher = new Hasher(), clock = systemClock, log = silentLog, audit = noRecorder } = options;
    const plugged = createPlugged({
      secondFactors: [...(options.secondFactors ?? [])],
      addressChecks: options.addressRule === undefined ? [] : [options.addressRule],
    });
    const identity = createIdentity(
      {
        db: db.database,
        hasher,
        clock,
        log,
        audit,
        post: options.post,
        codes: options.codes ?? unkeyedCodes,
        options: {
          confirmEmail: options.confirmEmail ?? false,
          passwordMinLength: 1,
          passwordRule: options.passwordRule,
          sessionDays: options.sessionDays ?? 30,
          sessionIdleDays: options.sessionIdleDays ?? 7,
          sessionsPerUser: options.sessionsPerUser ?? 50,
          resetTokenMinutes: options.resetTokenMinutes ?? 60,
          knownDeviceDays: options.knownDeviceDays ?? 0,
          rememberedDeviceDays: options.rememberedDeviceDays ?? 0,
          secondFactorPolicy: options.secondFactorPolicy ?? 'optional',
          signsInByEmail: options.signsInByEmail ?? false,
        },
      },
      plugged,
    );
    const { context } = identity;
    this.identity = identity;
    this.dataExports = new DataExports(context, identity);
    this.deletions = new AccountDeletion(context, identity);
    this.emailChange = new EmailChange(context, identity);
    this.emailSignIn = new EmailSignIn(context, identity);
    plugged.purges.push(this.deletions);
    plugged.tokenKinds.push(emailSignInKind, emailChangeKind, emailUndoKind, deletionUndoKind);
  }

  get signIn(): SignIn {
    return this.identity.signIn;
  }

  get stepUp(): StepUp {
    return this.identity.stepUp;
  }

  get enrollment(): Enrollment {
    return this.identity.enrollment;
  }

  get secondFactors(): SecondFactors {
    return this.identity.secondFactors;
  }

  /** Absolute life of a session in milliseconds: also the life of its cookie. */
  get sessionMs(): number {
    return this.identity.sessions.life.sessionMs;
  }

  /** @throws {Problem} too_busy when a password could not be hashed in time now: asked before a body is read. */
  requireCapacity(): void {
    this.identity.context.hasher.requireCapacity();
  }

  /** How long a device is known, in milliseconds: also the life of its cookie. */
  get knownDeviceMs(): number {
    return this.identity.devices.knownMs;
  }

  /**
   * Adds a user with this e-mail and password.
   * @throws {ValueError} `User <e-mail> already exists`, decided by the database's unique index.
   * @throws {Problem} invalid_request for an address that is none, or an address or a password that the rules refuse.
   */
  async registerUser(email: string, password: string, source: ClientSource = programSource): Promise<User> {
    return this.identity.accounts.register(requireEmailAddress(email), password, source);
  }

  /**
   * Adds a user without a password: `attach` gives the account its way in, inside the same transaction. It runs for an
   * account that nobody has confirmed yet as well, whose older factors are gone then, and for `nobody` where it is taken.
   * @throws {ValueError} `User <e-mail> already exists`.
   * @throws {Problem} invalid_request for an address that is none, or that the rules refuse; whatever `attach` throws.
   */
  async registerWith(email: string, attach: Attach, source: ClientSource = programSource): Promise<User> {
    return this.identity.accounts.registerWith(requireEmailAddress(email), attach, source);
  }

  /**
   * True only if the user exists and the password is theirs; false in the same time otherwise. Counts as a try.
   * @throws {Problem} too_many_attempts.
   */
  async validLogin(email: string, password: string, source: ClientSource = programSource): Promise<boolean> {
    const address = toEmailAddress(email);
    return address !== undefined && this.identity.passwordLogin.isValid(address, password, source);
  }

  /**
   * Verifies the password and creates a session for it; `undefined` for an unknown user, a wrong password, a disabled
   * user, an address that must be confirmed first, or a password changed between the two.
   * @throws {Problem} too_many_attempts, before anything is verified.
   */
  async logIn(
    email: string,
    password: string,
    source: ClientSource = programSource,
  ): Promise<Login | undefined> {
    const address = toEmailAddress(email);
    return address && this.identity.passwordLogin.logIn(address, password, source);
  }

  /** A new session of this user: its token, or `undefined` for an unknown e-mail or a user to whom no door opens. */
  async createSession(email: string, source: ClientSource = programSource): Promise<string | undefined> {
    const address = toEmailAddress(email);
    return address && this.identity.sessions.create(address, source);
  }

  /** The live session of a token; `undefined` for null, empty, malformed, unknown, ended and expired ones. */
  getSession(token: string | null | undefined): Promise<Session | undefined> {
    return this.identity.sessions.find(token);
  }

  /** The user of a live session; `undefined` in any other case. */
  async getUserFromSessionId(sessionId: string | null | undefined): Promise<User | undefined> {
    const session = await this.identity.sessions.find(sessionId);
    return session && findUserById(this.identity.context.db, session.userId);
  }

  /** Ends every session of the user; an unknown id does nothing. */
  destroySession(userId: number, source: ClientSource = programSource): Promise<void> {
    return this.identity.sessions.endAll(userId, source);
  }

  /** Names of the second factors of which the user is asked for one. */
  factorsOf(userId: number): Promise<string[]> {
    return this.secondFactors.setOf(this.identity.context.db, userId);
  }

  /** The user of a session, as they are now. @throws {Problem} session_required when they are gone. */
  userOf(session: Session): Promise<User> {
    return this.identity.sessions.userOf(session);
  }

  /** Notes what the person reads: mails are written in it. */
  setLanguage(userId: number, language: string): Promise<void> {
    return this.identity.accounts.setLanguage(userId, language);
  }

  /** Asks whether a password may be set. @throws {Problem} invalid_request with the reason. */
  requireGoodPassword(password: string, email: string): Promise<void> {
    return this.identity.accounts.requireGoodPassword(password, email);
  }

  /** Devices of a user on which no second factor is asked for, newest first. */
  listRememberedDevices(userId: number): Promise<RememberedDevice[]> {
    return this.identity.devices.listRemembered(userId);
  }

  /** Forgets a device of a session's user; false when there is none of this handle. */
  forgetDevice(session: Session, id: string, source: ClientSource): Promise<boolean> {
    return this.identity.devices.forget(session, id, source);
  }

  /** Live sessions of one user, or of all, newest first. */
  listSessions(userId: number | undefined, limit: number): Promise<SessionSummary[]> {
    return this.identity.sessions.list(userId, limit);
  }

  /** Ends another session of whoever is signed in; false when they have none of this handle. */
  endOwnSession(session: Session, id: string, source: ClientSource = programSource): Promise<boolean> {
    return this.identity.sessions.endOwn(session, id, source);
  }

  /** Ends all sessions of whoever is signed in but this one, and says how many. */
  endOtherSessions(session: Session, source: ClientSource = programSource): Promise<number> {
    return this.identity.sessions.endOthers(session, source);
  }

  /** Ends one session by its public handle; false when there was none. */
  endSession(id: string, source: ClientSource = programSource): Promise<boolean> {
    return this.identity.sessions.end(id, source);
  }

  /**
   * A new reset token of this user, in the place of the older one.
   * @throws {Problem} unknown_email; also for a disabled user.
   */
  async getResetPasswordToken(email: string, source: ClientSource = programSource): Promise<string> {
    const address = toEmailAddress(email);
    if (address === undefined) throw new Problem('unknown_email');
    return this.identity.passwordReset.createToken(address, source);
  }

  /**
   * Sends a new reset token to the account's stored address. Known and unknown addresses look and cost alike.
   * @throws {Problem} invalid_request for what is no address.
   */
  async requestReset(email: string, source: ClientSource = programSource): Promise<void> {
    return this.identity.passwordReset.request(requireEmailAddress(email), source);
  }

  /**
   * Spends the reset token, or the code together with the request that asked for it, stores the new password, ends every session of the user and forgets the wrong tries: all or
   * nothing. With `email` the token must be this user's.
   * @throws {Problem} token_invalid for an unknown, null, expired, spent or foreign token; nothing changes.
   * @throws {Problem} invalid_request for a password that the rule refuses; the token stays unspent.
   */
  async updatePassword(
    resetToken: string | null | undefined,
    password: string,
    email?: string,
    source: ClientSource = programSource,
  ): Promise<User> {
    const address = email === undefined ? undefined : claimedAddress(email);
    return this.identity.passwordReset.redeem(resetToken, password, address, source);
  }

  /**
   * Sends a new confirmation token to an account whose address is not confirmed. Any other address looks and costs
   * alike.
   * @throws {Problem} invalid_request for what is no address.
   */
  async requestVerification(email: string, source: ClientSource = programSource): Promise<void> {
    return this.identity.emailVerification.request(requireEmailAddress(email), source);
  }

  /**
   * Spends a confirmation token or its code: its account's address is confirmed.
   * @throws {Problem} token_invalid for an unknown, expired, spent or foreign one.
   */
  async verifyEmail(email: string, token: string, source: ClientSource = programSource): Promise<User> {
    return this.identity.emailVerification.redeem(claimedAddress(email), token, source);
  }

  /**
   * Sends a link and a code that sign a person in. Any other address looks and costs alike.
   * @throws {Problem} invalid_request for what is no address.
   */
  async requestSignIn(email: string, source: ClientSource = programSource): Promise<void> {
    return this.emailSignIn.request(requireEmailAddress(email), source);
  }

  /**
   * Spends what was mailed and creates a session for it; `undefined` for a user who may have none any more.
   * @throws {Problem} token_invalid for an unknown, expired, spent or foreign token or code.
   */
  async signInByEmail(
    email: string,
    proof: string,
    source: ClientSource = programSource,
  ): Promise<Login | undefined> {
    return this.emailSignIn.redeem(claimedAddress(email), proof, source);
  }

  /**
   * Stores a new password for whoever is signed in and knows the current one; all other sessions end.
   * @throws {Problem} password_wrong, too_many_attempts; invalid_request for a password that the rule refuses.
   */
  changePassword(
    session: Session,
    passwords: { current: string | undefined; next: string },
    source: ClientSource = programSource,
  ): Promise<User> {
    return this.identity.passwordChange.change(session, passwords, source);
  }

  /**
   * Sends a proof to another address for the account. Nothing moves before it is redeemed in a session of the account.
   * @throws {Problem} password_wrong, too_many_attempts, change_pending; invalid_request for what is no other address, or one that the rule refuses.
   */
  async requestEmailChange(
    session: Session,
    wish: { email: string; password: string | undefined },
    source: ClientSource = programSource,
  ): Promise<void> {
    const { email, password } = wish;
    return this.emailChange.request(session, { address: requireEmailAddress(email), password }, source);
  }

  /**
   * Spends the proof: the address is the account's from here on, and the old one is told how to undo it.
   * @throws {Problem} token_invalid; also when somebody has confirmed the address meanwhile.
   */
  changeEmail(session: Session, proof: string, source: ClientSource = programSource): Promise<User> {
    return this.emailChange.redeem(session, proof, source);
  }

  /**
   * Gives the account back to its old address: the password is void, every session ends, and a reset token is mailed.
   * @throws {Problem} token_invalid; email_taken when somebody else has confirmed the old address meanwhile.
   */
  undoEmailChange(proof: string, source: ClientSource = programSource): Promise<User> {
    return this.emailChange.undo(proof, source);
  }

  /**
   * Sets a password for the operator: ends all sessions and voids the pending tokens.
   * @throws {Problem} unknown_email; also for a disabled user.
   */
  async setPassword(email: string, password: string, source: ClientSource = programSource): Promise<User> {
    return this.identity.accounts.setPassword(requireEmailAddress(email), password, source);
  }

  /**
   * Closes every door to a user and ends their sessions, or opens the doors again, also of an account that its owner has
   * closed; false when there is no such user.
   */
  setDisabled(userId: number, disabled: boolean, source: ClientSource = programSource): Promise<boolean> {
    return this.identity.accounts.setDisabled(userId, disabled, source);
  }

  /** Removes a user with all that hangs on it; false when there is none. */
  removeUser(userId: number, source: ClientSource = programSource): Promise<boolean> {
    return this.identity.accounts.remove(userId, source);
  }

  /** Writes what requests told of sessions since the last time. */
  flushSeen(): Promise<void> {
    return this.identity.sessions.flush();
  }

  /**
   * Removes expired sessions, tokens, devices and counters, and accounts whose time has come, in small batches; says how
   * many rows went, those that mount on an account not counted.
   */
  purge(): Promise<number> {
    return this.identity.purge();
  }

  /** Writes what is pending and ends the hashing threads; the database stays its owner's to close. */
  async close(): Promise<void> {
    await this.identity.sessions.flush();
    await this.identity.context.hasher.close();
  }
}

/** The address that a token must belong to. @throws {Problem} token_invalid: no token belongs to a malformed one. */
function claimedAddress(email: string): EmailAddress {
  const address = toEmailAddress(email);
  if (address === undefined) throw new Problem('token_invalid');
  return address;
}
