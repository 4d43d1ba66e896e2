// Identity's trunk, as one face: the contract's verbs and what the service needs beyond them. Where each is decided:
// account.ts (register, passwords, removal), login.ts, admission.ts (sessions and second factors), step-up.ts,
// factor-change.ts, session.ts, reset.ts, verification.ts, password-change.ts,
// email-change.ts, email-sign-in.ts, one-time-token.ts, attempts.ts. Holds neither SQL nor HTTP. Every deed is recorded
// in its own transaction.
import type { Clock } from '../kit/clock.ts';
import { dayMs, systemClock } from '../kit/clock.ts';
import { silentLog, type Log } from '../kit/log.ts';
import { Problem } from '../kit/problem.ts';
import { Hasher } from '../hash/hasher.ts';
import { noRecorder, programSource, type Recorder } from '../audit/event.ts';
import type { Outbox } from '../mail/outbox.ts';
import type { DB } from './db.ts';
import { toEmailAddress } from '../user/email-address.ts';
import { findUserByEmail, findUserById, updateLanguage } from '../user/store.ts';
import type { User } from '../user/user.ts';
import { Accounts, type Attach } from '../identity/account/account.ts';
import { removeOldAttempts } from '../identity/attempt/store.ts';
import { Attempts } from '../identity/attempt/attempts.ts';
import { DataExports } from '../features/data-export/data-export.ts';
import { AccountDeletion } from '../features/account-deletion/deletion.ts';
import type { AuthContext, ClientSource, CodeSigner } from '../identity/context.ts';
import {
  listRemembered,
  removeDevice,
  removeExpiredDevices,
  type RememberedDevice,
} from '../identity/sign-in/device-store.ts';
import { anyAddress, type AddressRule } from '../features/disposable-email/disposable-email.ts';
import { EmailChange } from '../features/email-change/email-change.ts';
import { EmailSignIn } from '../features/email-sign-in/email-sign-in.ts';
import { SignIn, type Login } from '../identity/sign-in/sign-in.ts';
import type { SecondFactor, SecondFactorPolicy } from '../identity/factor/factor.ts';
import { Enrollment } from '../identity/enrollment/enrollment.ts';
import { PasswordLogin } from '../identity/password/login.ts';
import { OneTimeTokens, unkeyedCodes } from '../identity/token/one-time-token.ts';
import { PasswordChange } from '../identity/password/change.ts';
import { anyPassword, type PasswordRule } from '../identity/password/rule.ts';
import { PasswordReset } from '../identity/password/reset.ts';
import {
  removeOtherSessionsOf,
  removeOwnSession,
  removeSession,
  removeSessionsOf,
  type SessionSummary,
} from '../identity/session/store.ts';
import { SecondFactors } from '../identity/factor/second-factor.ts';
import { Sessions, type Session } from '../identity/session/session.ts';
import { StepUp } from '../identity/sign-in/step-up.ts';
import { removeExpiredPendingAuthentications } from '../identity/sign-in/pending-store.ts';
import { removeExpiredTokens } from '../identity/token/store.ts';
import { EmailVerification } from '../identity/account/verification.ts';
import { localDefault } from '../config/option.ts';
import { factorOptions } from '../identity/factor/options.ts';
import { passwordOptions } from '../identity/password/options.ts';
import { sessionOptions } from '../identity/session/options.ts';

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
  readonly emailConfirmation?: boolean;
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

/** Rows removed at once, so that a purge never holds the writer for long. */
const purgeBatch = 500;
/** Days without a try after which a counter is removed. A guess a month is no attack. */
const attemptDays = 30;

export class Auth {
  /** From a proof to a session, by way of the second factor. */
  readonly signIn: SignIn;
  /** Proving once more that it is you. */
  readonly stepUp: StepUp;
  /** Setting second factors up and taking them away. */
  readonly enrollment: Enrollment;
  readonly secondFactors: SecondFactors;
  /** What is known of a person, for the person. */
  readonly dataExports: DataExports;
  /** Closing one's own account, and what becomes of it. */
  readonly deletions: AccountDeletion;
  readonly #context: AuthContext;
  readonly #accounts: Accounts;
  readonly #passwordLogin: PasswordLogin;
  readonly #passwordReset: PasswordReset;
  readonly #sessions: Sessions;
  readonly #emailVerification: EmailVerification;
  readonly #passwordChange: PasswordChange;
  readonly #emailChange: EmailChange;
  readonly #emailSignIn: EmailSignIn;

  constructor(options: AuthOptions) {
    const { db, hasher = new Hasher(), clock = systemClock, log = silentLog, audit = noRecorder } = options;
    const { passwordRule = anyPassword, addressRule = anyAddress } = options;
    const { post, emailConfirmation = false, codes = unkeyedCodes } = options;
    const rules = { passwordRule, addressRule, emailConfirmation };
    const context = { db: db.database, hasher, clock, log, audit, post, codes, ...rules };
    this.#context = context;
    const attempts = new Attempts(db.database, clock);
    const tokens = new OneTimeTokens(context, attempts);
    const sessions = new Sessions(context, {
      sessionMs: (options.sessionDays ?? localDefault(sessionOptions.sessionDays)) * dayMs,
      idleMs: (options.sessionIdleDays ?? localDefault(sessionOptions.sessionIdleDays)) * dayMs,
      perUser: options.sessionsPerUser ?? localDefault(sessionOptions.sessionsPerUser),
    });
    const emailVerification = new EmailVerification(context, tokens);
    const secondFactors = new SecondFactors(context, attempts, {
      factors: options.secondFactors ?? [],
      policy: options.secondFactorPolicy ?? localDefault(factorOptions.secondFactor),
    });
    const accounts = new Accounts(context, { attempts, secondFactors, emailVerification });
    const knownDeviceMs = (options.knownDeviceDays ?? 0) * dayMs;
    const rememberedMs = (options.rememberedDeviceDays ?? 0) * dayMs;
    const signIn = new SignIn(context, { sessions, secondFactors, knownDeviceMs, rememberedMs });
    const passwordLogin = new PasswordLogin(context, attempts, signIn);
    const stepUp = new StepUp(context, { signIn, passwordLogin, secondFactors, sessions });
    const { signsInByEmail = false } = options;
    const passwordReset = new PasswordReset(context, accounts, {
      tokens,
      minutes: options.resetTokenMinutes ?? localDefault(passwordOptions.resetTokenMinutes),
    });
    this.enrollment = new Enrollment(context, {
      accounts,
      signIn,
      secondFactors,
      sessions,
      passwordReset,
      stepUp,
      tokens,
      signsInByEmail,
    });
    this.#sessions = sessions;
    this.#emailVerification = emailVerification;
    this.#accounts = accounts;
    this.signIn = signIn;
    this.stepUp = stepUp;
    this.secondFactors = secondFactors;
    this.#passwordLogin = passwordLogin;
    this.#passwordReset = passwordReset;
    this.#passwordChange = new PasswordChange(context, accounts, stepUp);
    this.#emailChange = new EmailChange(context, {
      accounts,
      stepUp,
      passwordReset,
      tokens,
    });
    this.#emailSignIn = new EmailSignIn(context, { tokens, signIn });
    this.dataExports = new DataExports(context, { attempts, secondFactors, sessions, stepUp });
    this.deletions = new AccountDeletion(context, { accounts, attempts, stepUp, tokens });
  }

  /** Absolute life of a session in milliseconds: also the life of its cookie. */
  get sessionMs(): number {
    return this.#sessions.life.sessionMs;
  }

  /** @throws {Problem} too_busy when a password could not be hashed in time now: asked before a body is read. */
  requireCapacity(): void {
    this.#context.hasher.requireCapacity();
  }

  /** How long a device is known, in milliseconds: also the life of its cookie. */
  get knownDeviceMs(): number {
    return this.signIn.knownDeviceMs;
  }

  /**
   * Adds a user with this e-mail and password.
   * @throws {ValueError} `User <e-mail> already exists`, decided by the database's unique index.
   * @throws {Problem} invalid_request for an address that is none, or an address or a password that the rules refuse.
   */
  registerUser(email: string, password: string, source: ClientSource = programSource): Promise<User> {
    return this.#accounts.register(email, password, source);
  }

  /**
   * Adds a user without a password: `attach` gives the account its way in, inside the same transaction. It runs for an
   * account that nobody has confirmed yet as well, whose older factors are gone then, and for `nobody` where it is taken.
   * @throws {ValueError} `User <e-mail> already exists`.
   * @throws {Problem} invalid_request for an address that is none, or that the rules refuse; whatever `attach` throws.
   */
  registerWith(email: string, attach: Attach, source: ClientSource = programSource): Promise<User> {
    return this.#accounts.registerWith(email, attach, source);
  }

  /**
   * True only if the user exists and the password is theirs; false in the same time otherwise. Counts as a try.
   * @throws {Problem} too_many_attempts.
   */
  validLogin(email: string, password: string, source: ClientSource = programSource): Promise<boolean> {
    return this.#passwordLogin.isValid(email, password, source);
  }

  /**
   * Verifies the password and creates a session for it; `undefined` for an unknown user, a wrong password, a disabled
   * user, an address that must be confirmed first, or a password changed between the two.
   * @throws {Problem} too_many_attempts, before anything is verified.
   */
  logIn(email: string, password: string, source: ClientSource = programSource): Promise<Login | undefined> {
    return this.#passwordLogin.logIn(email, password, source);
  }

  /** A new session of this user: its token, or `undefined` for an unknown e-mail or a user to whom no door opens. */
  async createSession(email: string, source: ClientSource = programSource): Promise<string | undefined> {
    const { db, audit, emailConfirmation } = this.#context;
    const address = toEmailAddress(email);
    const user = address && (await findUserByEmail(db, address));
    if (user === undefined || (emailConfirmation && user.emailVerifiedAt === null)) return undefined;
    return db.transaction(async (tx) => {
      const token = await this.#sessions.add(tx, user);
      if (token !== undefined)
        await audit.record(tx, { event: 'session_created', outcome: 'success', userId: user.id }, source);
      return token;
    });
  }

  /** The live session of a token; `undefined` for null, empty, malformed, unknown, ended and expired ones. */
  getSession(token: string | null | undefined): Promise<Session | undefined> {
    return this.#sessions.find(token);
  }

  /** The user of a live session; `undefined` in any other case. */
  async getUserFromSessionId(sessionId: string | null | undefined): Promise<User | undefined> {
    const session = await this.#sessions.find(sessionId);
    return session && findUserById(this.#context.db, session.userId);
  }

  /** Ends every session of the user; an unknown id does nothing. */
  async destroySession(userId: number, source: ClientSource = programSource): Promise<void> {
    if (!Number.isSafeInteger(userId)) return; // nobody's id, and to PostgreSQL no number of its kind
    const { db, audit } = this.#context;
    return db.transaction(async (tx) => {
      if ((await removeSessionsOf(tx, userId)) === 0) return;
      await audit.record(
        tx,
        { event: 'session_expired', outcome: 'success', reason: 'all_ended', userId },
        source,
      );
    });
  }

  /** Names of the second factors of which the user is asked for one. */
  factorsOf(userId: number): Promise<string[]> {
    return this.secondFactors.setOf(this.#context.db, userId);
  }

  /** The user of a session, as they are now. @throws {Problem} session_required when they are gone. */
  async userOf({ userId }: Session): Promise<User> {
    const user = await findUserById(this.#context.db, userId);
    if (user === undefined) throw new Problem('session_required');
    return user;
  }

  /** Notes what the person reads: mails are written in it. */
  async setLanguage(userId: number, language: string): Promise<void> {
    await updateLanguage(this.#context.db, userId, language);
  }

  /** Asks whether a password may be set. @throws {Problem} invalid_request with the reason. */
  requireGoodPassword(password: string, email: string): Promise<void> {
    return this.#context.passwordRule(password, { email, field: 'password' });
  }

  /** Devices of a user on which no second factor is asked for, newest first. */
  listRememberedDevices(userId: number): Promise<RememberedDevice[]> {
    return listRemembered(this.#context.db, userId, this.#context.clock());
  }

  /** Forgets a device of a session's user; false when there is none of this handle. */
  forgetDevice({ userId }: Session, id: string, source: ClientSource): Promise<boolean> {
    const { db, audit } = this.#context;
    return db.transaction(async (tx) => {
      if (!(await removeDevice(tx, userId, id))) return false;
      const deed = { event: 'user_updated', outcome: 'success', reason: 'device_forgotten' } as const;
      await audit.record(tx, { ...deed, userId }, source);
      return true;
    });
  }

  /** Live sessions of one user, or of all, newest first. */
  listSessions(userId: number | undefined, limit: number): Promise<SessionSummary[]> {
    return this.#sessions.list(userId, limit);
  }

  /** Ends another session of whoever is signed in; false when they have none of this handle. */
  endOwnSession({ userId }: Session, id: string, source: ClientSource = programSource): Promise<boolean> {
    const { db, audit } = this.#context;
    return db.transaction(async (tx) => {
      if (!(await removeOwnSession(tx, userId, id))) return false;
      const deed = { event: 'session_expired', outcome: 'success', reason: 'ended' } as const;
      await audit.record(tx, { ...deed, userId }, source);
      return true;
    });
  }

  /** Ends all sessions of whoever is signed in but this one, and says how many. */
  endOtherSessions({ userId, id }: Session, source: ClientSource = programSource): Promise<number> {
    const { db, audit } = this.#context;
    return db.transaction(async (tx) => {
      const ended = await removeOtherSessionsOf(tx, userId, id);
      const deed = { event: 'session_expired', outcome: 'success', reason: 'others_ended' } as const;
      if (ended > 0) await audit.record(tx, { ...deed, userId }, source);
      return ended;
    });
  }

  /** Ends one session by its public handle; false when there was none. */
  endSession(id: string, source: ClientSource = programSource): Promise<boolean> {
    const { db, audit } = this.#context;
    return db.transaction(async (tx) => {
      const userId = await removeSession(tx, id);
      if (userId === undefined) return false;
      await audit.record(
        tx,
        { event: 'session_expired', outcome: 'success', reason: 'ended', userId },
        source,
      );
      return true;
    });
  }

  /**
   * A new reset token of this user, in the place of the older one.
   * @throws {Problem} unknown_email; also for a disabled user.
   */
  getResetPasswordToken(email: string, source: ClientSource = programSource): Promise<string> {
    return this.#passwordReset.createToken(email, source);
  }

  /**
   * Sends a new reset token to the account's stored address. Known and unknown addresses look and cost alike.
   * @throws {Problem} invalid_request for what is no address.
   */
  requestReset(email: string, source: ClientSource = programSource): Promise<void> {
    return this.#passwordReset.requestByMail(email, source);
  }

  /**
   * Spends the reset token, or the code together with the request that asked for it, stores the new password, ends every session of the user and forgets the wrong tries: all or
   * nothing. With `email` the token must be this user's.
   * @throws {Problem} token_invalid for an unknown, null, expired, spent or foreign token; nothing changes.
   * @throws {Problem} invalid_request for a password that the rule refuses; the token stays unspent.
   */
  updatePassword(
    resetToken: string | null | undefined,
    password: string,
    email?: string,
    source: ClientSource = programSource,
  ): Promise<User> {
    return this.#passwordReset.redeem(resetToken, password, email, source);
  }

  /**
   * Sends a new confirmation token to an account whose address is not confirmed. Any other address looks and costs
   * alike.
   * @throws {Problem} invalid_request for what is no address.
   */
  requestVerification(email: string, source: ClientSource = programSource): Promise<void> {
    return this.#emailVerification.askAgain(email, source);
  }

  /**
   * Spends a confirmation token or its code: its account's address is confirmed.
   * @throws {Problem} token_invalid for an unknown, expired, spent or foreign one.
   */
  verifyEmail(email: string, token: string, source: ClientSource = programSource): Promise<User> {
    return this.#emailVerification.redeem(email, token, source);
  }

  /**
   * Sends a link and a code that sign a person in. Any other address looks and costs alike.
   * @throws {Problem} invalid_request for what is no address.
   */
  requestSignIn(email: string, source: ClientSource = programSource): Promise<void> {
    return this.#emailSignIn.request(email, source);
  }

  /**
   * Spends what was mailed and creates a session for it; `undefined` for a user who may have none any more.
   * @throws {Problem} token_invalid for an unknown, expired, spent or foreign token or code.
   */
  signInByEmail(
    email: string,
    proof: string,
    source: ClientSource = programSource,
  ): Promise<Login | undefined> {
    return this.#emailSignIn.redeem(email, proof, source);
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
    return this.#passwordChange.change(session, passwords, source);
  }

  /**
   * Sends a proof to another address for the account. Nothing moves before it is redeemed in a session of the account.
   * @throws {Problem} password_wrong, too_many_attempts, change_pending; invalid_request for what is no other address, or one that the rule refuses.
   */
  requestEmailChange(
    session: Session,
    wish: { email: string; password: string | undefined },
    source: ClientSource = programSource,
  ): Promise<void> {
    return this.#emailChange.request(session, wish, source);
  }

  /**
   * Spends the proof: the address is the account's from here on, and the old one is told how to undo it.
   * @throws {Problem} token_invalid; also when somebody has confirmed the address meanwhile.
   */
  changeEmail(session: Session, proof: string, source: ClientSource = programSource): Promise<User> {
    return this.#emailChange.redeem(session, proof, source);
  }

  /**
   * Gives the account back to its old address: the password is void, every session ends, and a reset token is mailed.
   * @throws {Problem} token_invalid; email_taken when somebody else has confirmed the old address meanwhile.
   */
  undoEmailChange(proof: string, source: ClientSource = programSource): Promise<User> {
    return this.#emailChange.undo(proof, source);
  }

  /**
   * Sets a password for the operator: ends all sessions and voids the pending tokens.
   * @throws {Problem} unknown_email; also for a disabled user.
   */
  setPassword(email: string, password: string, source: ClientSource = programSource): Promise<User> {
    return this.#accounts.setPassword(email, password, source);
  }

  /**
   * Closes every door to a user and ends their sessions, or opens the doors again, also of an account that its owner has
   * closed; false when there is no such user.
   */
  setDisabled(userId: number, disabled: boolean, source: ClientSource = programSource): Promise<boolean> {
    return this.#accounts.setDisabled(userId, disabled, source);
  }

  /** Removes a user with all that hangs on it; false when there is none. */
  removeUser(userId: number, source: ClientSource = programSource): Promise<boolean> {
    return this.#accounts.remove(userId, source);
  }

  /** Writes what requests told of sessions since the last time. */
  flushSeen(): Promise<void> {
    return this.#sessions.flush();
  }

  /**
   * Removes expired sessions, tokens, devices and counters, and accounts whose time has come, in small batches; says how
   * many rows went, those that mount on an account not counted.
   */
  async purge(): Promise<number> {
    const { db, clock } = this.#context;
    const now = clock();
    const removals = [
      () => this.#sessions.purge(purgeBatch),
      () => removeExpiredTokens(db, now, purgeBatch),
      () => removeExpiredPendingAuthentications(db, now, purgeBatch),
      () => removeExpiredDevices(db, now, purgeBatch),
      () => this.secondFactors.purge(purgeBatch),
      () => removeOldAttempts(db, now - attemptDays * dayMs, purgeBatch),
    ];
    let total = await this.deletions.purge();
    for (const remove of removals) {
      for (let removed = purgeBatch; removed === purgeBatch; total += removed) removed = await remove();
    }
    return total;
  }

  /** Writes what is pending and ends the hashing threads; the database stays its owner's to close. */
  async close(): Promise<void> {
    await this.#sessions.flush();
    await this.#context.hasher.close();
  }
}
