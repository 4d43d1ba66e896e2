// Step-up: sensitive actions require a factor that was given in the last ten minutes, whatever the session's age, so
// that an attacker who finds an open session cannot take the account over (OWASP ASVS 5.0 §7.5.1, RFC 9470).
import { minuteMs, secondMs } from '../../kit/clock.ts';
import { fieldProblem, Problem } from '../../kit/problem.ts';
import { findUserById, lockUser } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import { stepUpEvents } from './event.ts';
import type { Devices } from '../sign-in/devices.ts';
import type { SecondFactors, VerifiedFactor } from '../factor/second-factor.ts';
import type { Sessions } from '../session/session.ts';
import type { RenewedSession, Session } from '../session/session-entry.ts';
import './problem.ts';
import '../session/problem.ts';

/** Maximum age of a factor (SECURITY.md: re-authentication window). */
const recentMs = 10 * minuteMs;

/** Authentication that is required in addition to a session. */
export interface AuthenticationRequirement {
  /**
   * `second` for any second factor, or the name of one. By default a second factor if the account has one, otherwise any
   * factor.
   */
  readonly factor?: string | undefined;
  /** By default the factor may have been given at any time in the session. */
  readonly maxAgeSeconds?: number | undefined;
  /** Unix milliseconds: the factor must have been given later. */
  readonly since?: number | undefined;
}

/** What sensitive actions of the account require. */
const recent: AuthenticationRequirement = { maxAgeSeconds: recentMs / secondMs };

/** Verifies the password of a signed-in user. PasswordLogin implements it. */
export interface PasswordVerifier {
  /**
   * Returns the session's user if the password is right. Counts as an attempt.
   * @throws {Problem} password_wrong, too_many_attempts.
   */
  requirePassword(session: Session, password: string, source: ClientSource): Promise<User>;
}

export interface StepUpNeeds {
  readonly devices: Devices;
  readonly passwords: PasswordVerifier;
  readonly secondFactors: SecondFactors;
  readonly sessions: Sessions;
}

/** Requires and accepts recent factors. */
export class StepUp {
  readonly #context: AuthContext;
  readonly #needs: StepUpNeeds;

  constructor(context: AuthContext, needs: StepUpNeeds) {
    this.#context = context;
    this.#needs = needs;
  }

  /**
   * Requires a factor, by default a recent one.
   * @throws {Problem} step_up_required with the factors that are accepted; with none if the account has not enrolled the
   *   factor that is required.
   */
  async requireRecent(session: Session, requirement: AuthenticationRequirement = recent): Promise<void> {
    const usable = await this.#needs.secondFactors.usableOf(session.userId);
    const { factor } = requirement;
    if (factor !== undefined) {
      const accepted = factor === 'second' ? usable : usable.filter((name) => name === factor);
      await this.#require(session, accepted, requirement);
    } else if (usable.length > 0) await this.#require(session, usable, requirement);
    else await this.#require(session, await this.#firstFactorsOf(session.userId), requirement, true);
  }

  /**
   * Requires a recent second factor if the account has one. For actions that require the password in addition.
   * @throws {Problem} step_up_required.
   */
  async requireRecentSecond(session: Session): Promise<void> {
    const usable = await this.#needs.secondFactors.usableOf(session.userId);
    if (usable.length > 0) await this.#require(session, usable, recent);
  }

  /**
   * Requires the password, and a recent second factor if the account has one; for an account without a password any
   * recent factor. Returns the user.
   * @throws {Problem} password_wrong, too_many_attempts, step_up_required.
   */
  async requirePassword(session: Session, password: string | undefined, source: ClientSource): Promise<User> {
    const user = await findUserById(this.#context.db, session.userId);
    if (user === undefined) throw new Problem('session_required');
    if (user.hashedPassword === null) {
      await this.requireRecent(session);
      return user;
    }
    await this.requireRecentSecond(session);
    if (password === undefined) throw fieldProblem('password', 'is missing');
    return this.#needs.passwords.requirePassword(session, password, source);
  }

  /**
   * Verifies a factor and adds it to the session, which gets a new token. Returns the session.
   * @throws {Problem} password_wrong, factor_invalid, too_many_attempts; session_required if the session has ended.
   */
  async give(
    session: Session,
    given: { factor: string; proof: string },
    source: ClientSource,
  ): Promise<RenewedSession> {
    const { db, events } = this.#context;
    const { sessions, secondFactors } = this.#needs;
    const { user, verified } = await this.#verify(session, given, source);
    return db.transaction(async (tx) => {
      await lockUser(tx, user.id);
      const use = verified ? await secondFactors.consume(tx, verified, source) : { factor: given.factor };
      const elevated = await sessions.renew(tx, session, use);
      await events.emit(tx, stepUpEvents.stepped_up, { user, facts: { factor: given.factor }, source });
      return elevated;
    });
  }

  async #verify(
    session: Session,
    given: { factor: string; proof: string },
    source: ClientSource,
  ): Promise<{ user: User; verified?: VerifiedFactor }> {
    const { devices, passwords, secondFactors } = this.#needs;
    if (given.factor === 'password')
      return { user: await passwords.requirePassword(session, given.proof, source) };
    const user = await findUserById(this.#context.db, session.userId);
    if (user === undefined) throw new Problem('session_required');
    const device = await devices.find(user, source.deviceToken);
    const purpose = { purpose: 'step_up', subjectId: session.id } as const;
    return {
      user,
      verified: await secondFactors.verify(user, given, purpose, { deviceId: device?.id, source }),
    };
  }

  async #require(
    session: Session,
    factors: readonly string[],
    { factor: required, maxAgeSeconds = Infinity, since: begin = -Infinity }: AuthenticationRequirement,
    isAnyEnough = false,
  ): Promise<void> {
    const { clock, db } = this.#context;
    const since = Math.max(clock() - maxAgeSeconds * secondMs, begin);
    const uses = await this.#needs.sessions.factorsOf(db, session.id);
    const isMet = uses.some(({ factor, at, isMultiFactor = false }) => {
      if (at <= since) return false;
      if (isAnyEnough || factors.includes(factor)) return true;
      // A passkey that verified its user proved two types of factor.
      return required === 'second' && isMultiFactor;
    });
    if (isMet) return;
    const age = Number.isFinite(maxAgeSeconds) ? { maxAgeSeconds } : {};
    const acr = required === undefined ? {} : { acr: required };
    throw new Problem('step_up_required', { requirement: { factors, ...acr, ...age } });
  }

  /** Returns the names of the factors that a user without a second factor can give. Signing in again also works. */
  async #firstFactorsOf(userId: number): Promise<string[]> {
    const user = await findUserById(this.#context.db, userId);
    return (user?.hashedPassword ?? null) === null ? ['email'] : ['password'];
  }
}
