// Decides a login by password: counts the attempt, verifies the password and signs the user in. An unknown user, a
// disabled one, an unconfirmed address and a wrong password get the same answer and cost the same (constant work).
import { isProblem, Problem } from '../../kit/problem.ts';
import { toEmailAddress, type EmailAddress } from '../../user/email-address.ts';
import { findUserByEmail, lockUser, upgradeHash } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { Devices } from '../sign-in/devices.ts';
import type { SignIn, Login } from '../sign-in/sign-in.ts';
import type { PasswordVerifier } from '../step-up/step-up.ts';
import { freeAttempts, maxAttempts } from '../attempt/store.ts';
import type { Attempt, Attempts } from '../attempt/attempts.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import { passwordEvents } from './event.ts';
import type { Session } from '../session/session-entry.ts';
import '../account/problem.ts';

/** An address, and the account that has it. */
interface Claimed {
  readonly address: EmailAddress;
  readonly user: User | undefined;
}

/** Why a login by password fails. */
type FailureEvent = (typeof passwordEvents)[
  | 'unknown_user'
  | 'user_disabled'
  | 'wrong_password'
  | 'email_unconfirmed'];

/** A verified password. */
interface Verified {
  readonly user: User;
  readonly attempt: Attempt;
}

export interface PasswordLoginNeeds {
  readonly attempts: Attempts;
  readonly devices: Devices;
  readonly signIn: SignIn;
}

/** Verifies passwords and signs users in. */
export class PasswordLogin implements PasswordVerifier {
  readonly #context: AuthContext;
  readonly #attempts: Attempts;
  readonly #devices: Devices;
  readonly #signIn: SignIn;

  constructor(context: AuthContext, { attempts, devices, signIn }: PasswordLoginNeeds) {
    this.#context = context;
    this.#attempts = attempts;
    this.#devices = devices;
    this.#signIn = signIn;
  }

  /**
   * Returns true only if the user exists and the password is right. Counts as an attempt. Constant work.
   * @throws {Problem} too_many_attempts.
   */
  async isValid(address: EmailAddress, password: string, source: ClientSource): Promise<boolean> {
    return (await this.#verifyNow(address, password, source)) !== undefined;
  }

  /** See PasswordVerifier. */
  async requirePassword({ email }: Session, password: string, source: ClientSource): Promise<User> {
    const address = toEmailAddress(email);
    const user = address && (await this.#verifyNow(address, password, source));
    if (user === undefined) throw new Problem('password_wrong');
    return user;
  }

  /**
   * Verifies the password and signs the user in: a session, or a pending authentication if a second factor is required.
   * Returns `undefined` for an unknown or disabled user, a wrong password, an address that must be confirmed first, and
   * a password that was replaced during the verification.
   * @throws {Problem} too_many_attempts, before anything is verified.
   */
  async logIn(address: EmailAddress, password: string, source: ClientSource): Promise<Login | undefined> {
    const { db } = this.#context;
    const claimed = await this.#find(address);
    const signInContext = await this.#signIn.signInContextOf(claimed.user, source);
    const verified = await this.#verify(claimed, { password, deviceId: signInContext.device?.id }, source);
    if (verified === undefined) return undefined;
    const { user, attempt } = verified;
    if (this.#isUnconfirmed(user)) {
      // Answered like a wrong password: an attacker who has just registered the address of another person knows its
      // password and would learn here whether the address was free (account enumeration).
      await this.#recordFailure(user, passwordEvents.email_unconfirmed, attempt, source);
      return undefined;
    }
    return db.transaction(async (tx) => {
      // An authenticator that is being added is committed before the second factors are read.
      await lockUser(tx, user.id);
      const login = await this.#signIn.admit(tx, user, { factor: 'password' }, signInContext);
      if (login !== undefined) await this.#attempts.succeed(tx, attempt);
      return login;
    });
  }

  /** Returns true if the user must confirm the address before the first session. */
  #isUnconfirmed({ emailVerifiedAt }: User): boolean {
    return this.#context.emailConfirmation && emailVerifiedAt === null;
  }

  async #find(address: EmailAddress): Promise<Claimed> {
    return { address, user: await findUserByEmail(this.#context.db, address) };
  }

  /** Verifies a password and resets the attempts. Returns the user; `undefined` if the password is wrong. */
  async #verifyNow(address: EmailAddress, password: string, source: ClientSource): Promise<User | undefined> {
    const claimed = await this.#find(address);
    const device = await this.#devices.find(claimed.user, source.deviceToken);
    const verified = await this.#verify(claimed, { password, deviceId: device?.id }, source);
    if (verified === undefined) return undefined;
    await this.#attempts.succeed(this.#context.db, verified.attempt);
    return verified.user;
  }

  /** Counts the attempt, verifies a password and returns the user; `undefined` if the password is wrong. */
  async #verify(
    { address, user }: Claimed,
    { password, deviceId }: { password: string; deviceId: string | undefined },
    source: ClientSource,
  ): Promise<Verified | undefined> {
    const { hasher, log } = this.#context;
    hasher.requireCapacity(); // before the attempt is counted: a rejection under load is not a wrong password
    const attempt = await this.#attempts.begin({ emailKey: address.key, deviceId }, 'password');
    const { matches, outdated, unreadable } = await hasher
      .verify(user?.hashedPassword, password, { isAdmitted: true })
      .catch(async (error: unknown) => {
        if (isProblem(error, 'too_busy')) await this.#attempts.withdraw(attempt);
        throw error;
      });
    // The user sees a wrong password, so only the log shows the cause.
    if (unreadable !== undefined)
      log.error(
        { user_id: user?.id, reason: unreadable },
        'A stored password hash cannot be verified; this user must reset the password',
      );
    const { closedAccounts } = this.#signIn;
    if (user === undefined || !matches || !(await closedAccounts.admits(this.#context.db, user, source))) {
      const known = matches ? passwordEvents.user_disabled : passwordEvents.wrong_password;
      await this.#recordFailure(
        user,
        user === undefined ? passwordEvents.unknown_user : known,
        attempt,
        source,
      );
      return undefined;
    }
    // The time of another hash would reveal that the address of a registration was free.
    if (outdated && !this.#isUnconfirmed(user)) await this.#upgradeHash(user, password);
    return { user, attempt };
  }

  /** Replaces a hash of an older method or cost. If the service is busy, the next login does it. */
  async #upgradeHash({ id, hashedPassword }: User, password: string): Promise<void> {
    const { db, hasher } = this.#context;
    if (hashedPassword === null) return;
    try {
      await upgradeHash(db, id, hashedPassword, await hasher.hash(password));
    } catch (error) {
      if (!isProblem(error, 'too_busy')) throw error;
    }
  }

  async #recordFailure(
    user: User | undefined,
    reason: FailureEvent,
    { count }: Attempt,
    source: ClientSource,
  ): Promise<void> {
    const { db, events } = this.#context;
    await db.transaction(async (tx) => {
      await events.emit(tx, reason, { user, source });
      if (count === freeAttempts)
        await events.emit(tx, passwordEvents.password_attempts_slowed, { user, source });
      if (count === maxAttempts)
        await events.emit(tx, passwordEvents.password_attempts_locked, { user, source });
    });
  }
}
