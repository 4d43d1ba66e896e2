// Where a login by password is decided: the try is counted, the password verified, and the person admitted for the
// password that was verified. An unknown user, a disabled one, an unconfirmed address and a wrong password look and cost
// alike.
import { isProblem, Problem } from '../../kit/problem.ts';
import { toEmailAddress } from '../../user/email-address.ts';
import { findUserByEmail, lockUser, upgradeHash } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { SignIn, Login } from '../sign-in/sign-in.ts';
import { freeAttempts, maxAttempts } from '../attempt/store.ts';
import type { Attempt, Attempts } from '../attempt/attempts.ts';
import { idOf, type AuthContext, type ClientSource } from '../context.ts';
import type { Session } from '../session/session.ts';

/** A password that was right. */
interface Verified {
  readonly user: User;
  readonly attempt: Attempt;
}

export class PasswordLogin {
  readonly #context: AuthContext;
  readonly #attempts: Attempts;
  readonly #signIn: SignIn;

  constructor(context: AuthContext, attempts: Attempts, signIn: SignIn) {
    this.#context = context;
    this.#attempts = attempts;
    this.#signIn = signIn;
  }

  /** See Auth.validLogin. */
  async isValid(email: string, password: string, source: ClientSource): Promise<boolean> {
    const verified = await this.#verify(email, password, source);
    if (verified === undefined) return false;
    await this.#attempts.succeed(this.#context.db, verified.attempt);
    return true;
  }

  /**
   * The user of a session, if the password is theirs. Counts as a try, like a login.
   * @throws {Problem} password_wrong, too_many_attempts.
   */
  async requirePassword({ email }: Session, password: string, source: ClientSource): Promise<User> {
    const verified = await this.#verify(email, password, source);
    if (verified === undefined) throw new Problem('password_wrong');
    await this.#attempts.succeed(this.#context.db, verified.attempt);
    return verified.user;
  }

  /** See Auth.logIn. */
  async logIn(email: string, password: string, source: ClientSource): Promise<Login | undefined> {
    const verified = await this.#verify(email, password, source);
    if (verified === undefined) return undefined;
    const { user, attempt } = verified;
    const { db, confirmEmail } = this.#context;
    if (confirmEmail && user.emailVerifiedAt === null) {
      // As a wrong password: whoever has just registered somebody's address has its password, and would learn here
      // whether the address was free.
      await this.#recordFailure(user, 'email_unconfirmed', attempt, source);
      return undefined;
    }
    const signInContext = await this.#signIn.signInContextOf(user, source);
    return db.transaction(async (tx) => {
      // A second factor that is being added is set before it is asked whether one is.
      await lockUser(tx, user.id);
      const login = await this.#signIn.admit(tx, user, 'password', signInContext);
      if (login !== undefined) await this.#attempts.succeed(tx, attempt);
      return login;
    });
  }

  /** The user whose password this is, with the try that was counted before it was verified. */
  async #verify(email: string, password: string, source: ClientSource): Promise<Verified | undefined> {
    const address = toEmailAddress(email);
    if (address === undefined) return undefined;
    const { db, hasher, log } = this.#context;
    const user = await findUserByEmail(db, address);
    const device = await this.#signIn.knownDevice(user, source.deviceToken);
    hasher.requireCapacity(); // before the try is counted: a refusal for want of time is nobody's wrong guess
    const attempt = await this.#attempts.begin(
      { userId: user?.id, emailKey: address.key, deviceId: device?.id },
      'password',
    );
    const { matches, outdated, unreadable } = await hasher
      .verify(user?.hashedPassword, password, { isAdmitted: true })
      .catch(async (error: unknown) => {
        if (isProblem(error, 'too_busy')) await this.#attempts.withdraw(attempt);
        throw error;
      });
    // Nobody could ever tell this from a wrong password, least of all the person.
    if (unreadable !== undefined)
      log.error(
        { user_id: user?.id, reason: unreadable },
        'A stored password hash cannot be verified; this user must reset the password',
      );
    if (user === undefined || !matches || user.disabledAt !== null) {
      const reason = user === undefined ? 'unknown_user' : matches ? 'user_disabled' : 'wrong_password';
      await this.#recordFailure(user, reason, attempt, source);
      return undefined;
    }
    if (outdated) await this.#upgradeHash(user, password);
    return { user, attempt };
  }

  /** Hashes the password by today's method. Where there is no time for that now, there is at another login. */
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
    reason: string,
    { count }: Attempt,
    source: ClientSource,
  ): Promise<void> {
    const { db, audit } = this.#context;
    const subject = idOf(user);
    await db.transaction(async (tx) => {
      await audit.record(tx, { event: 'authn_login_fail', outcome: 'failure', reason, ...subject }, source);
      if (count === freeAttempts)
        await audit.record(tx, { event: 'authn_login_fail_max', outcome: 'failure', ...subject }, source);
      if (count === maxAttempts)
        await audit.record(tx, { event: 'authn_login_lock', outcome: 'failure', ...subject }, source);
    });
  }
}
