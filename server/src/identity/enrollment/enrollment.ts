// Setting second factors up and taking them away: by whoever is signed in and has just proved it, or by whoever must set
// one up before anything else opens. One transaction with the record and the notice; the last way in stays. The first of
// an account can be undone from its mailbox: a stranger who knew the password would keep the owner out with it.
import { hourMs } from '../../kit/clock.ts';
import { Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import { findUserById, lockUser } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { AccountAccess } from '../account/access.ts';
import type { Accounts } from '../account/account.ts';
import type { SignIn, Login } from '../sign-in/sign-in.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import type { Devices } from '../sign-in/devices.ts';
import { notify } from '../notice.ts';
import { tokenKind } from '../token/kinds.ts';
import type { OneTimeTokens } from '../token/one-time-token.ts';
import type { PasswordReset } from '../password/reset.ts';
import type { SecondFactors } from '../factor/second-factor.ts';
import { subjectUserIdOf, type EnrollmentSubject } from '../sign-in/subject.ts';
import type { Session, Sessions } from '../session/session.ts';
import type { StepUp } from '../sign-in/step-up.ts';

export interface FactorAddition<T> {
  /** Name of the factor. */
  readonly factor: string;
  /** The change itself, in the transaction. The user's row is locked. */
  readonly work: (tx: Database, user: User) => Promise<T>;
}

export interface FactorChange<T> extends FactorAddition<T> {
  readonly deed: 'removed' | 'replaced';
}

/** What an addition gives: its own result, and the login whose session carries it on. */
export interface FactorAdded<T> {
  readonly result: T;
  readonly login: Login;
}

/** How long the first factor of an account can be undone. */
const undoHours = 72;

/** Removes the first authenticator of an account again. */
export const factorUndoKind = tokenKind({
  kind: 'factor_undo',
  prefix: 'fac',
  minutes: undoHours * 60,
  page: { path: '/account/factors/undo', name: 'factor_undo' },
  route: '/profile/factors/undo',
  refusalEvent: 'user_updated',
  survivesPasswordChange: true,
});

export interface EnrollmentNeeds {
  readonly access: AccountAccess;
  readonly devices: Devices;
  readonly accounts: Accounts;
  readonly signIn: SignIn;
  readonly secondFactors: SecondFactors;
  readonly sessions: Sessions;
  readonly passwordReset: PasswordReset;
  readonly stepUp: StepUp;
  readonly tokens: OneTimeTokens;
  /** Ways into an account besides its password and its authenticators. */
  readonly waysIn: readonly ((db: Database, userId: number) => Promise<boolean>)[];
}

export class Enrollment {
  readonly #context: AuthContext;
  readonly #needs: EnrollmentNeeds;

  constructor(context: AuthContext, needs: EnrollmentNeeds) {
    this.#context = context;
    this.#needs = needs;
  }

  /**
   * The user whose factors the holder may change now.
   * @throws {Problem} step_up_required; session_required for nobody, and for a login that owes a factor that is set.
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
   * Adds a factor, which is proved in the same moment: the session has it from here on. The account's other sessions and
   * half-way logins, which were made without it, end; its tries are counted anew.
   * @throws {Problem} step_up_required, session_required; whatever the work throws.
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
      // Made before the factor is, which is removed as one that was set up since.
      const undoLink = await this.#undoOfFirst(tx, user);
      const result = await work(tx, user);
      await this.#needs.devices.forgetRemembered(tx, user.id);
      await this.#needs.secondFactors.forgetAttempts(tx, user.id, factor);
      await this.#tell(tx, user, { factor, deed: 'added', undoLink }, source);
      if (subject.session !== undefined)
        return { result, login: await this.#carryOn(tx, subject.session, factor) };
      // The other sessions and pending authentications began without the factor: an attacker who knows the password and
      // has one pending could otherwise add an authenticator too, and be signed in.
      await this.#needs.access.revoke(tx, user.id, { kinds: ['sign_in'], except: subject.pending.id });
      const login = await this.#needs.signIn.finish(tx, user, subject.pending, {
        use: factor,
        signInContext,
      });
      return { result, login };
    });
  }

  /**
   * Removes or replaces a factor. One that was replaced counts its tries anew.
   * @throws {Problem} step_up_required, session_required, last_factor; whatever the work throws.
   */
  async change<T>(
    subject: EnrollmentSubject,
    { factor, deed, work }: FactorChange<T>,
    source: ClientSource,
  ): Promise<T> {
    const { id } = await this.requireSubject(subject);
    return this.#context.db.transaction(async (tx) => {
      const user = await this.#lock(tx, id);
      const result = await work(tx, user);
      await this.#needs.devices.forgetRemembered(tx, id);
      if (deed === 'removed') await this.#requireWayIn(tx, user);
      else await this.#needs.secondFactors.forgetAttempts(tx, id, factor);
      await this.#tell(tx, user, { factor, deed }, source);
      return result;
    });
  }

  /**
   * Takes the first factor away again, and what was set up since: the account is as it was, but that its password is
   * void, everybody is signed out, and a mail to set a new one is sent.
   * @throws {Problem} token_invalid; also while the account is closed, or has another address than the one that the way
   *   back was mailed to: that is undone first.
   */
  async undo(presented: string, source: ClientSource): Promise<User> {
    const { db, audit } = this.#context;
    const { accounts, passwordReset, tokens } = this.#needs;
    const live = await tokens.find(factorUndoKind, presented, {}, source);
    return db.transaction(async (tx) => {
      const user = await lockUser(tx, live.user.id);
      if (user?.disabledAt !== null || user.email !== live.target) throw new Problem('token_invalid');
      await tokens.consume(tx, live);
      await accounts.revokeAccessSince(tx, user.id, live.madeAt);
      const deed = { event: 'user_updated', outcome: 'success', reason: 'factor_undone' } as const;
      await audit.record(tx, { ...deed, userId: user.id }, source);
      await notify(this.#context, tx, user, { kind: 'factor_undone', facts: {}, source });
      await passwordReset.send(tx, user, source);
      return user;
    });
  }

  /** Takes all second factors of a user away, for the operator; false where there is none. Ends the sessions. */
  async reset(userId: number, source: ClientSource): Promise<boolean> {
    const { db, audit } = this.#context;
    return db.transaction(async (tx) => {
      const user = await lockUser(tx, userId);
      if (user === undefined || (await this.#needs.secondFactors.setOf(tx, userId)).length === 0)
        return false;
      await this.#needs.secondFactors.removeAll(tx, userId);
      await this.#needs.access.revoke(tx, userId, { kinds: ['sign_in'] });
      const deed = { event: 'user_updated', outcome: 'success', reason: 'factors_reset' } as const;
      await audit.record(tx, { ...deed, userId }, source);
      await notify(this.#context, tx, user, { kind: 'factors_reset', facts: {}, source });
      return true;
    });
  }

  /** @throws {Problem} session_required for a user who is gone or disabled. */
  async #lock(tx: Database, userId: number): Promise<User> {
    const user = await lockUser(tx, userId);
    if (user === undefined || user.disabledAt !== null) throw new Problem('session_required');
    return user;
  }

  /** The way back for the mailbox of an account that has no factor yet; `undefined` for another. */
  async #undoOfFirst(tx: Database, user: User): Promise<string | undefined> {
    const { secondFactors, tokens } = this.#needs;
    if (!(await secondFactors.hasNoFactor(tx, user.id))) return undefined;
    return (await tokens.issue(tx, user, { kind: factorUndoKind, target: user.email })).link;
  }

  /** Records what was done, and tells its owner. */
  async #tell(
    tx: Database,
    user: User,
    { factor, deed, undoLink }: { factor: string; deed: string; undoLink?: string | undefined },
    source: ClientSource,
  ): Promise<void> {
    const reason = `${factor}_${deed}`;
    const event = { event: 'user_updated', outcome: 'success', reason, userId: user.id } as const;
    await this.#context.audit.record(tx, event, source);
    const mail =
      undoLink === undefined
        ? ({ kind: 'factor_changed', facts: { factor, deed } } as const)
        : ({
            kind: 'first_factor',
            facts: { factor, undoLink, undoHours },
            lifeMs: undoHours * hourMs,
            voidsEarlier: true,
          } as const);
    await notify(this.#context, tx, user, { ...mail, source });
  }

  /** The session with the new factor, under a new token; the others end. */
  async #carryOn(tx: Database, session: Session, factor: string): Promise<Login> {
    const elevated = await this.#needs.sessions.elevate(tx, session.id, factor);
    if (elevated === undefined) throw new Problem('session_required');
    await this.#needs.access.revoke(tx, session.userId, { kinds: ['sign_in'], except: elevated.id });
    return { token: elevated.token, deviceToken: undefined };
  }

  /** Of two who remove the last two at once the second is refused: the user's row is locked. */
  async #requireWayIn(tx: Database, user: User): Promise<void> {
    const { secondFactors } = this.#needs;
    const left = await secondFactors.setOf(tx, user.id);
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
