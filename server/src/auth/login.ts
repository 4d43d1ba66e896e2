// Where a login by password is decided: the try is counted, the password verified, the session added for the password
// that was verified. An unknown user, a disabled one, an unconfirmed address and a wrong password look and cost alike.
import { dayMs } from '../kit/clock.ts';
import { isProblem, Problem } from '../kit/problem.ts';
import { createToken, parseToken } from '../kit/secret.ts';
import type { Database } from '../db/database.ts';
import { toEmailAddress } from '../user/email-address.ts';
import { findUserByEmail, upgradeHash } from '../user/store.ts';
import { nobody, type User } from '../user/user.ts';
import { freeTries, mostTries } from './attempt-store.ts';
import type { Attempt, Attempts } from './attempts.ts';
import { idOf, type AuthContext, type ClientSource } from './context.ts';
import { addDevice, hasDevices, isKnownDevice } from './device-store.ts';
import { notify } from './notice.ts';
import { removeSession } from './session-store.ts';
import type { Session, Sessions } from './session.ts';

/** What a login gives its holder. */
export interface Login {
  /** Token of the new session. */
  readonly token: string;
  /** Token of the device, when it was not known before. */
  readonly deviceToken: string | undefined;
}

/** What goes with a proof that was verified. */
interface Admission {
  /** The session that the browser holds already. */
  readonly replaced: Session | undefined;
  readonly isKnownDevice: boolean;
  readonly source: ClientSource;
}

/** A password that was right. */
interface Verified {
  readonly user: User;
  readonly attempt: Attempt;
  readonly isKnownDevice: boolean;
}

/** Devices known of one user; the oldest is forgotten. */
const devicesPerUser = 20;

export class Logins {
  readonly knownDeviceMs: number;
  readonly #context: AuthContext;
  readonly #attempts: Attempts;
  readonly #sessions: Sessions;

  constructor(context: AuthContext, attempts: Attempts, sessions: Sessions, knownDeviceDays: number) {
    this.#context = context;
    this.#attempts = attempts;
    this.#sessions = sessions;
    this.knownDeviceMs = knownDeviceDays * dayMs;
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
    const { user, attempt, isKnownDevice: isKnown } = verified;
    const { db, confirmEmail } = this.#context;
    if (confirmEmail && user.emailVerifiedAt === null) {
      // As a wrong password: whoever has just registered somebody's address has its password, and would learn here
      // whether the address was free.
      await this.#recordFailure(user, 'email_unconfirmed', attempt, source);
      return undefined;
    }
    const replaced = await this.#sessions.find(source.sessionToken);
    return db.transaction(async (tx) => {
      const login = await this.admit(tx, user, { replaced, isKnownDevice: isKnown, source });
      if (login !== undefined) await this.#attempts.succeed(tx, attempt);
      return login;
    });
  }

  /**
   * Gives a session to a user whose proof was verified, in the place of the one that the browser holds; `undefined` when
   * the proof no longer counts. Inside a transaction.
   */
  async admit(
    tx: Database,
    user: User,
    { replaced, isKnownDevice: isKnown, source }: Admission,
  ): Promise<Login | undefined> {
    const { audit } = this.#context;
    const userId = user.id;
    const token = await this.#sessions.add(tx, user);
    if (token === undefined) return undefined;
    if (replaced !== undefined && (await removeSession(tx, replaced.id)) !== undefined) {
      const deed = { event: 'session_expired', outcome: 'success', reason: 'replaced' } as const;
      await audit.record(tx, { ...deed, userId: replaced.userId }, source);
    }
    await audit.record(tx, { event: 'authn_login_success', outcome: 'success', userId }, source);
    await audit.record(tx, { event: 'session_created', outcome: 'success', userId }, source);
    if (isKnown || this.knownDeviceMs === 0) return { token, deviceToken: undefined };
    if (await hasDevices(tx, userId))
      await notify(this.#context, tx, user, { kind: 'new_device', facts: {}, source });
    return { token, deviceToken: await this.#rememberDevice(tx, userId) };
  }

  /** Id of the device if it is one of this user's. The look is taken for an unknown user too. */
  async knownDevice(user: User | undefined, deviceToken: string | undefined): Promise<string | undefined> {
    const parts = parseToken('device', deviceToken);
    if (parts === undefined) return undefined;
    const { db, clock } = this.#context;
    return (await isKnownDevice(db, parts, user?.id ?? nobody, clock())) ? parts.id : undefined;
  }

  /** The user whose password this is, with the try that was counted before it was verified. */
  async #verify(email: string, password: string, source: ClientSource): Promise<Verified | undefined> {
    const address = toEmailAddress(email);
    if (address === undefined) return undefined;
    const { db, hasher, log } = this.#context;
    const user = await findUserByEmail(db, address);
    const deviceId = await this.knownDevice(user, source.deviceToken);
    hasher.requireRoom(); // before the try is counted: a refusal for want of time is nobody's wrong guess
    const attempt = await this.#attempts.begin(
      { userId: user?.id, emailKey: address.key, deviceId },
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
        'A stored password hash cannot be verified: only a new password lets this user in',
      );
    if (user === undefined || !matches || user.disabledAt !== null) {
      const reason = user === undefined ? 'unknown_user' : matches ? 'user_disabled' : 'wrong_password';
      await this.#recordFailure(user, reason, attempt, source);
      return undefined;
    }
    if (outdated) await this.#upgradeHash(user, password);
    return { user, attempt, isKnownDevice: deviceId !== undefined };
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
      if (count === freeTries)
        await audit.record(tx, { event: 'authn_login_fail_max', outcome: 'failure', ...subject }, source);
      if (count === mostTries)
        await audit.record(tx, { event: 'authn_login_lock', outcome: 'failure', ...subject }, source);
    });
  }

  async #rememberDevice(tx: Database, userId: number): Promise<string> {
    const { id, secretHash, token } = createToken('device');
    const now = this.#context.clock();
    await addDevice(tx, { id, secretHash, userId, now, expiresAt: now + this.knownDeviceMs }, devicesPerUser);
    return token;
  }
}
