// Adds and removes second factors, for a session with a recent factor or a pending authentication that must add one
// first. The last way to sign in cannot be removed. The first second factor of an account can be undone from its
// mailbox: otherwise an attacker who knows the password could lock the owner out with it.
import { Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import { findUserById, lockUser } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { AccountAccess } from '../account/access.ts';
import type { Accounts } from '../account/account.ts';
import type { SignIn, Login } from '../sign-in/sign-in.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import type { Devices } from '../sign-in/devices.ts';
import { tokenKind } from '../token/kinds.ts';
import type { OneTimeTokens } from '../token/one-time-token.ts';
import type { FactorAddition, FactorChange } from '../factor/factor.ts';
import type { SecondFactors } from '../factor/second-factor.ts';
import { subjectUserIdOf, type EnrollmentSubject } from '../sign-in/subject.ts';
import type { Sessions } from '../session/session.ts';
import type { RenewedSession } from '../session/session-entry.ts';
import type { StepUp } from '../step-up/step-up.ts';
import { enrollmentEvents, undoHours } from './event.ts';
import './problem.ts';
import '../session/problem.ts';
import '../token/problem.ts';

/** Result of an addition: of its own work, and the login that continues. */
export interface FactorAdded<T> {
  readonly result: T;
  readonly login: Login;
  /** The account had no second factor before. */
  readonly isFirst: boolean;
}

/** Result of another change: of its own work, and the session that continues. */
export interface FactorChanged<T> {
  readonly result: T;
  readonly renewed: RenewedSession;
}

const changeEvents = {
  added: enrollmentEvents.factor_added,
  removed: enrollmentEvents.factor_removed,
  replaced: enrollmentEvents.factor_replaced,
};
type FactorAction = keyof typeof changeEvents;

/** Kind of token that undoes the first authenticator of an account. */
export const factorUndoKind = tokenKind({
  kind: 'factor_undo',
  prefix: 'fac',
  minutes: undoHours * 60,
  page: { path: '/account/factors/undo', name: 'factor_undo', saysDone: true },
  route: '/profile/factors/undo',
  survivesPasswordChange: true,
});

export interface EnrollmentNeeds {
  readonly access: AccountAccess;
  readonly devices: Devices;
  readonly accounts: Accounts;
  readonly signIn: SignIn;
  readonly secondFactors: SecondFactors;
  readonly sessions: Sessions;
  /** Mails a reset token to the user, in the transaction. */
  readonly sendReset: (tx: Database, user: User, source: ClientSource) => Promise<unknown>;
  readonly stepUp: StepUp;
  readonly tokens: OneTimeTokens;
  /** Ways to sign in other than by password and authenticators. */
  readonly waysIn: readonly ((db: Database, userId: number) => Promise<boolean>)[];
}

/** Adds, replaces, removes and undoes second factors. */
export class Enrollment {
  readonly #context: AuthContext;
  readonly #needs: EnrollmentNeeds;

  constructor(context: AuthContext, needs: EnrollmentNeeds) {
    this.#context = context;
    this.#needs = needs;
  }

  /**
   * Returns the user whose factors may be changed now.
   * @throws {Problem} step_up_required; session_required for a removed or disabled user, and for a pending
   *   authentication that requires an enrolled factor.
   */
  async requireSubject(subject: EnrollmentSubject): Promise<User> {
    const { session, pending } = subject;
    if (session !== undefined) await this.#needs.stepUp.requireRecent(session);
    else if (pending.kind !== 'enrollment') throw new Problem('session_required');
    const user = await findUserById(this.#context.db, subjectUserIdOf(subject));
    if (user === undefined || user.disabledAt !== null) throw new Problem('session_required');
    return user;
  }

  /**
   * Adds a factor that `work` verifies, also to the session. The account's other sessions and pending authentications
   * end, and the factor's attempts are reset.
   * @throws {Problem} step_up_required, session_required; also what `work` throws.
   */
  async add<T>(
    subject: EnrollmentSubject,
    { factor, work }: FactorAddition<T>,
    source: ClientSource,
  ): Promise<FactorAdded<T>> {
    const known = await this.requireSubject(subject);
    const signInContext = await this.#needs.signIn.signInContextOf(known, source);
    return this.#context.db.transaction(async (tx) => {
      const user = await this.#lock(tx, known.id);
      // Issued before the factor is added: the undo removes the factors that were added since its token.
      const undoLink = await this.#undoOfFirst(tx, user);
      const { session, pending } = subject;
      const renewed = session && (await this.#needs.sessions.renew(tx, session, { factor }));
      const result = await work(tx, user);
      await this.#needs.devices.forgetRemembered(tx, user.id);
      await this.#needs.secondFactors.forgetAttempts(tx, user.id, factor);
      await this.#emit(tx, user, { factor, action: 'added', undoLink }, source);
      // They began without the factor: an attacker who knows the password and has a pending authentication could
      // otherwise also add an authenticator and be signed in.
      const except = (renewed ?? pending)?.id;
      await this.#needs.access.revoke(tx, user.id, { kinds: ['sign_in'], except });
      const login =
        pending === undefined
          ? { token: renewed?.token, endsWithBrowser: session.endsWithBrowser, deviceToken: undefined }
          : await this.#needs.signIn.finish(tx, user, pending, { given: { factor }, signInContext });
      return { result, login, isFirst: undoLink !== undefined };
    });
  }

  /**
   * Removes or replaces a factor. The session gets a new token, and the attempts of a replaced factor are reset.
   * @throws {Problem} step_up_required, last_factor; session_required, also for a pending authentication, which has no
   *   factor to change; also what `work` throws.
   */
  async change<T>(
    subject: EnrollmentSubject,
    { factor, action, work }: FactorChange<T>,
    source: ClientSource,
  ): Promise<FactorChanged<T>> {
    const { id } = await this.requireSubject(subject);
    const { session } = subject;
    if (session === undefined) throw new Problem('session_required');
    return this.#context.db.transaction(async (tx) => {
      const user = await this.#lock(tx, id);
      const renewed = await this.#needs.sessions.renew(tx, session);
      const result = await work(tx, user);
      await this.#needs.devices.forgetRemembered(tx, id);
      if (action === 'removed') await this.#requireWayIn(tx, user);
      else await this.#needs.secondFactors.forgetAttempts(tx, id, factor);
      await this.#emit(tx, user, { factor, action }, source);
      return { result, renewed };
    });
  }

  /**
   * Undoes the first second factor: removes it and the factors added since, removes the password, ends all access and
   * mails a reset token.
   * @throws {Problem} token_invalid; also while the account is disabled, or if its address differs from the one that the
   *   token was mailed to: that change must be undone first.
   */
  async undo(presented: string, source: ClientSource): Promise<User> {
    const { db, events } = this.#context;
    const { accounts, sendReset, tokens } = this.#needs;
    const live = await tokens.find(factorUndoKind, presented, {}, source);
    return db.transaction(async (tx) => {
      const user = await lockUser(tx, live.user.id);
      if (user?.disabledAt !== null || user.email !== live.target) throw new Problem('token_invalid');
      await tokens.consume(tx, live);
      await accounts.revokeAccessSince(tx, user.id, await tokens.undoableSince(tx, live));
      await events.emit(tx, enrollmentEvents.factor_undone, { user, source });
      await sendReset(tx, user, source);
      return user;
    });
  }

  /**
   * Removes all second factors of a user, also those that the options do not offer, and ends the sessions, for the
   * operator; returns false if the user has no factors.
   */
  async reset(userId: number, source: ClientSource): Promise<boolean> {
    const { db, events } = this.#context;
    return db.transaction(async (tx) => {
      const user = await lockUser(tx, userId);
      const { secondFactors } = this.#needs;
      if (user === undefined || (await secondFactors.storedOf(tx, userId)).length === 0) return false;
      await secondFactors.removeAll(tx, userId);
      await this.#needs.access.revoke(tx, userId, { kinds: ['sign_in'] });
      await events.emit(tx, enrollmentEvents.factors_reset, { user, source });
      return true;
    });
  }

  /** @throws {Problem} session_required for a removed or disabled user. */
  async #lock(tx: Database, userId: number): Promise<User> {
    const user = await lockUser(tx, userId);
    if (user === undefined || user.disabledAt !== null) throw new Problem('session_required');
    return user;
  }

  /** Issues the undo token if the account has no second factor yet; otherwise `undefined`. */
  async #undoOfFirst(tx: Database, user: User): Promise<string | undefined> {
    const { secondFactors, tokens } = this.#needs;
    if (!(await secondFactors.hasNoFactor(tx, user.id))) return undefined;
    const { email: target } = user;
    // The new token replaces an earlier one, whose factor may be disabled by now: it covers that one too.
    const madeAt = await tokens.undoableSince(tx, { user, target, madeAt: this.#context.clock() });
    return (await tokens.issue(tx, user, { kind: factorUndoKind, target, madeAt })).link;
  }

  /** Records the change and mails it to the user. */
  async #emit(
    tx: Database,
    user: User,
    { factor, action, undoLink }: { factor: string; action: FactorAction; undoLink?: string | undefined },
    source: ClientSource,
  ): Promise<void> {
    const { events } = this.#context;
    const facts = { factor };
    if (undoLink === undefined)
      await events.emit(tx, changeEvents[action], {
        user,
        facts,
        mail: { facts: { factor, action } },
        source,
      });
    else
      await events.emit(tx, enrollmentEvents.first_factor_added, {
        user,
        facts,
        mail: { facts: { factor, undoLink } },
        source,
      });
  }

  /**
   * Requires another way to sign in. The user's row is locked, so the second of two concurrent removals is rejected.
   */
  async #requireWayIn(tx: Database, user: User): Promise<void> {
    const { secondFactors } = this.#needs;
    const left = await secondFactors.usableOf(user.id, tx);
    if (left.length === 0 && secondFactors.policy === 'required') throw new Problem('last_factor');
    const isWayInLeft =
      user.hashedPassword !== null ||
      (await secondFactors.hasWayIn(tx, user.id)) ||
      (await this.#hasOtherWayIn(tx, user.id));
    if (!isWayInLeft) throw new Problem('last_factor');
    await secondFactors.removeIdleBackups(tx, user.id);
  }

  async #hasOtherWayIn(tx: Database, userId: number): Promise<boolean> {
    for (const isOpen of this.#needs.waysIn) if (await isOpen(tx, userId)) return true;
    return false;
  }
}
