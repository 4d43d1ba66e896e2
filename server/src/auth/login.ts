// Where a login by password is decided: the try is counted, the password verified, the session added for the password
// that was verified. An unknown user, a disabled one, an unconfirmed address and a wrong password look and cost alike.
import { dayMs } from '../kit/clock.ts';
import { isProblem } from '../kit/problem.ts';
import { createToken, parseToken } from '../kit/secret.ts';
import type { Database } from '../db/database.ts';
import type { AuditSource } from '../audit/event.ts';
import { toEmailAddress } from '../user/email-address.ts';
import { findUserByEmail, upgradeHash } from '../user/store.ts';
import type { User } from '../user/user.ts';
import { freeTries, mostTries } from './attempt-store.ts';
import type { Attempt, Attempts } from './attempts.ts';
import { idOf, type AuthContext } from './context.ts';
import { addDevice, isKnownDevice } from './device-store.ts';
import { removeSession } from './session-store.ts';
import type { Sessions } from './session.ts';

/** Where a login comes from. */
export interface LoginSource extends AuditSource {
  /** Token of a device on which the person was signed in before. */
  readonly deviceToken?: string;
  /** Token of the session that the browser holds already. A login ends it, whosever it is (OWASP ASVS 5.0 §7.2.4). */
  readonly sessionToken?: string;
}

/** What a login gives its holder. */
export interface Login {
  /** Token of the new session. */
  readonly token: string;
  /** Token of the device, when it was not known before. */
  readonly deviceToken: string | undefined;
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
  async isValid(email: string, password: string, source: LoginSource): Promise<boolean> {
    const verified = await this.#verify(email, password, source);
    if (verified === undefined) return false;
    await this.#attempts.succeed(this.#context.db, verified.attempt);
    return true;
  }

  /** See Auth.logIn. */
  async logIn(email: string, password: string, source: LoginSource): Promise<Login | undefined> {
    const verified = await this.#verify(email, password, source);
    if (verified === undefined) return undefined;
    const { user, attempt, isKnownDevice: isKnown } = verified;
    const { db, audit, confirmEmail } = this.#context;
    if (confirmEmail && user.emailVerifiedAt === null) {
      // As a wrong password: whoever has just registered somebody's address has its password, and would learn here
      // whether the address was free.
      await this.#recordFailure(user, 'email_unconfirmed', attempt, source);
      return undefined;
    }
    const replaced = await this.#sessions.find(source.sessionToken);
    return db.transaction(async (tx) => {
      const token = await this.#sessions.add(tx, user);
      if (token === undefined) return undefined;
      await this.#attempts.succeed(tx, attempt);
      if (replaced !== undefined && (await removeSession(tx, replaced.id)) !== undefined) {
        const deed = {
          event: 'session_expired',
          outcome: 'success',
          reason: 'replaced',
          userId: replaced.userId,
        } as const;
        await audit.record(tx, deed, source);
      }
      await audit.record(tx, { event: 'authn_login_success', outcome: 'success', userId: user.id }, source);
      await audit.record(tx, { event: 'session_created', outcome: 'success', userId: user.id }, source);
      return { token, deviceToken: isKnown ? undefined : await this.#rememberDevice(tx, user.id) };
    });
  }

  /** The user whose password this is, with the try that was counted before it was verified. */
  async #verify(email: string, password: string, source: LoginSource): Promise<Verified | undefined> {
    const address = toEmailAddress(email);
    if (address === undefined) return undefined;
    const { db, hasher, log } = this.#context;
    const user = await findUserByEmail(db, address);
    const deviceId = await this.#knownDevice(user, source.deviceToken);
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
    source: AuditSource,
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

  /** Id of the device if it is one of this user's. The look is taken for an unknown user too. */
  async #knownDevice(user: User | undefined, deviceToken: string | undefined): Promise<string | undefined> {
    const parts = parseToken('device', deviceToken);
    if (parts === undefined) return undefined;
    const { db, clock } = this.#context;
    return (await isKnownDevice(db, parts, user?.id ?? 0, clock())) ? parts.id : undefined;
  }

  async #rememberDevice(tx: Database, userId: number): Promise<string | undefined> {
    if (this.knownDeviceMs === 0) return undefined;
    const { id, secretHash, token } = createToken('device');
    const now = this.#context.clock();
    await addDevice(tx, { id, secretHash, userId, now, expiresAt: now + this.knownDeviceMs }, devicesPerUser);
    return token;
  }
}
