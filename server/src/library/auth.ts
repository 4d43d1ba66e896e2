// Class Auth: accounts, passwords and sessions without HTTP. The seven verbs of the contract are registerUser,
// validLogin, createSession, getUserFromSessionId, destroySession, getResetPasswordToken and updatePassword. It parses
// what a program passes, names the program as the source, and delegates to the rules of identity/. The service itself
// takes the rules.
import { systemClock } from '../kit/clock.ts';
import { silentLog } from '../kit/log.ts';
import { Problem } from '../kit/problem.ts';
import { Hasher } from '../hash/hasher.ts';
import { unkeyedCodes } from '../identity/token/one-time-token.ts';
import { noRecorder, programSource } from '../audit/event.ts';
import { requireEmailAddress, toEmailAddress, type EmailAddress } from '../user/email-address.ts';
import { findUserById } from '../user/store.ts';
import type { User } from '../user/user.ts';
import type { ClientSource } from '../identity/context.ts';
import type { NewDetails, UserDetails } from '../identity/details/details.ts';
import { createIdentity, type Identity } from '../identity/identity.ts';
import type { ListedSession, Session } from '../identity/session/session-entry.ts';
import type { Login } from '../identity/sign-in/sign-in.ts';
import type { Service } from '../app/service.ts';
import {
  identityOptionsOf,
  pluggedOf,
  rememberingMs,
  requireAuthOptions,
  requireDetails,
  type AuthOptions,
} from './auth-options.ts';
import { anyPasswordText, isText, isUserId, requirePassword } from './members.ts';

export type { AuthOptions } from './auth-options.ts';

/** The verbs of the contract without HTTP, and the tasks of an operator. */
export class Auth {
  /** All rules, for tasks that these methods do not cover. @internal */
  readonly identity: Identity;
  readonly #service: Service | undefined;

  /**
   * Builds the rules from options, or takes those of a service from `openService`.
   * @throws {TypeError} if an option is missing, unknown or of another type.
   * @throws {RangeError} if a number is out of its range.
   */
  constructor(options: AuthOptions | { readonly service: Service }) {
    requireAuthOptions(options);
    this.#service = 'service' in options ? options.service : undefined;
    this.identity = 'service' in options ? options.service.core : buildIdentity(options);
  }

  /**
   * Adds a user with this email address and password.
   * @throws {ValueError} `User <email> already exists`, decided by the database's unique index.
   * @throws {Problem} invalid_request if the address is malformed, or a rule rejects it or the password.
   */
  async registerUser(email: string, password: string, source: ClientSource = programSource): Promise<User> {
    return this.identity.accounts.register(
      requireEmailAddress(email),
      requirePassword(password, 'password'),
      source,
    );
  }

  /**
   * Returns true only if the user exists and the password is right. Counts as an attempt. Constant work.
   * @throws {Problem} too_many_attempts.
   */
  async validLogin(email: string, password: string, source: ClientSource = programSource): Promise<boolean> {
    const address = toEmailAddress(email);
    if (address === undefined) return false;
    return this.identity.passwordLogin.isValid(address, anyPasswordText(password), source);
  }

  /**
   * Verifies the password and signs the user in: a session, or a pending authentication if a second factor is required.
   * Returns `undefined` if the user may not sign in, or the password is wrong.
   * @throws {Problem} too_many_attempts, before anything is verified.
   */
  async logIn(
    email: string,
    password: string,
    source: ClientSource = programSource,
  ): Promise<Login | undefined> {
    const address = toEmailAddress(email);
    return address && this.identity.passwordLogin.logIn(address, anyPasswordText(password), source);
  }

  /**
   * Creates a session of this user without asking for a factor. Returns its token; `undefined` for an unknown or
   * disabled user, and for an address that must be confirmed first.
   */
  async createSession(email: string, source: ClientSource = programSource): Promise<string | undefined> {
    const address = toEmailAddress(email);
    return address && this.identity.sessions.create(address, source);
  }

  /** Returns the live session of a token; `undefined` for a null, empty, malformed, unknown, ended or expired one. */
  getSession(token: string | null | undefined): Promise<Session | undefined> {
    return this.identity.sessions.find(token);
  }

  /** Returns the user of a live session, by its token; `undefined` in any other case. */
  async getUserFromSessionId(sessionId: string | null | undefined): Promise<User | undefined> {
    const session = await this.identity.sessions.find(sessionId);
    return session && findUserById(this.identity.context.db, session.userId);
  }

  /** Ends every session of the user; an unknown id does nothing. */
  destroySession(userId: number, source: ClientSource = programSource): Promise<void> {
    return this.identity.sessions.endAll(userId, source);
  }

  /**
   * Lists live sessions of one user, newest first; with `'all'` those of all users. Without a user the list is empty.
   * @throws {TypeError} if the limit is not a whole number from 1.
   */
  async listSessions(userId: number | 'all' | null | undefined, limit: number): Promise<ListedSession[]> {
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw new TypeError('listSessions needs a limit, a whole number from 1: listSessions(userId, 20)');
    if (userId === 'all') return this.identity.sessions.list(undefined, limit);
    return isUserId(userId) ? this.identity.sessions.list(userId, limit) : [];
  }

  /** Ends one session by its handle; returns false if no session has it. */
  async endSession(id: string, source: ClientSource = programSource): Promise<boolean> {
    return isText(id) && this.identity.sessions.end(id, source);
  }

  /**
   * Creates a reset token for this user, which replaces the previous one.
   * @throws {Problem} unknown_email, also for a disabled user.
   */
  async getResetPasswordToken(email: string, source: ClientSource = programSource): Promise<string> {
    const address = toEmailAddress(email);
    if (address === undefined) throw new Problem('unknown_email');
    return this.identity.passwordReset.createToken(address, source);
  }

  /**
   * Mails a reset token to the account's stored address. Constant work.
   * @throws {Problem} invalid_request if the address is malformed.
   */
  async requestReset(email: string, source: ClientSource = programSource): Promise<void> {
    return this.identity.passwordReset.request(requireEmailAddress(email), source);
  }

  /**
   * Consumes a reset token (or its code, in the initiating browser), stores the new password, ends every session of the
   * user and resets failed attempts: all or nothing. With `email`, the token must belong to this user.
   * @throws {Problem} token_invalid for an unknown, null, expired or consumed token, or another user's; nothing changes.
   * @throws {Problem} invalid_request for a password that the rule rejects; the token stays valid.
   * @throws {Problem} too_many_attempts for too many codes.
   */
  async updatePassword(
    resetToken: string | null | undefined,
    password: string,
    email?: string,
    source: ClientSource = programSource,
  ): Promise<User> {
    const address = email === undefined ? undefined : claimedAddress(email);
    const text = requirePassword(password, 'new_password');
    return this.identity.passwordReset.redeem(resetToken, text, address, source);
  }

  /**
   * Sets a password for the operator; ends all sessions and revokes pending tokens.
   * @throws {Problem} unknown_email, also for a disabled user.
   * @throws {Problem} invalid_request if the address is malformed, or the rule rejects the password.
   */
  async setPassword(email: string, password: string, source: ClientSource = programSource): Promise<User> {
    return this.identity.accounts.setPassword(
      requireEmailAddress(email),
      requirePassword(password, 'password'),
      source,
    );
  }

  /**
   * Disables a user and ends all access, or enables the user again, also one who has closed the account. Returns false
   * if no user has the id.
   * @throws {TypeError} if `disabled` is neither true nor false.
   */
  async setDisabled(
    userId: number,
    disabled: boolean,
    source: ClientSource = programSource,
  ): Promise<boolean> {
    if (typeof disabled !== 'boolean')
      throw new TypeError('setDisabled needs true or false: setDisabled(userId, true)');
    return isUserId(userId) && this.identity.accounts.setDisabled(userId, disabled, source);
  }

  /** Returns the details of a user: subject, external id, name, picture, metadata; `undefined` if no user has the id. */
  getDetails(userId: number): Promise<UserDetails | undefined> {
    return this.identity.details.find(userId);
  }

  /**
   * Changes details of a user, all or none, and returns them; `undefined` if no user has the id. A missing member stays
   * as it is; null removes it.
   * @throws {Problem} invalid_request if a detail is invalid.
   * @throws {ValueError} if another user has the external id.
   * @throws {TypeError} if a detail is unknown or of another type.
   */
  async setDetails(
    userId: number,
    change: NewDetails,
    source: ClientSource = programSource,
  ): Promise<UserDetails | undefined> {
    requireDetails(change);
    return this.identity.details.change(userId, change, source);
  }

  /** Removes a user with all data of the account; returns false if no user has the id. */
  async removeUser(userId: number, source: ClientSource = programSource): Promise<boolean> {
    return isUserId(userId) && this.identity.accounts.remove(userId, source);
  }

  /** Writes the last use of the sessions that were used since the previous call. */
  flushSeen(): Promise<void> {
    return this.identity.sessions.flush();
  }

  /** Removes expired sessions, tokens, devices and counters in small batches; returns the number of rows. */
  purge(): Promise<number> {
    return this.identity.purge();
  }

  /**
   * Writes pending data and ends the hashing threads, unless they are those of a service. The caller closes the
   * database.
   */
  async close(): Promise<void> {
    await this.identity.sessions.flush();
    if (this.#service === undefined) await this.identity.context.hasher.close();
  }
}

function buildIdentity(parts: AuthOptions): Identity {
  const { db, hasher = new Hasher(), clock = systemClock, log = silentLog, ...options } = parts;
  const identity = createIdentity(
    {
      db: db.database,
      hasher,
      clock,
      log,
      audit: options.audit ?? noRecorder,
      codes: options.codes ?? unkeyedCodes,
      post: options.post,
      options: identityOptionsOf(parts),
    },
    pluggedOf(parts),
  );
  identity.devices.allowRemembering(rememberingMs(parts));
  return identity;
}

/** Parses the address that a token must belong to. @throws {Problem} token_invalid if it is malformed. */
function claimedAddress(email: string): EmailAddress {
  const address = toEmailAddress(email);
  if (address === undefined) throw new Problem('token_invalid');
  return address;
}
