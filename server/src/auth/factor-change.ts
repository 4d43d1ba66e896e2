// Setting second factors up and taking them away: by whoever is signed in and has just proved it, or by whoever must set
// one up before anything else opens. One transaction with the record and the notice; the last way in stays.
import { Problem } from '../kit/problem.ts';
import type { Database } from '../db/database.ts';
import { findUserById, lockUser } from '../user/store.ts';
import type { User } from '../user/user.ts';
import type { Admissions, Login, PendingLogin } from './admission.ts';
import type { AuthContext, ClientSource } from './context.ts';
import { forgetMemories } from './device-store.ts';
import { notify } from './notice.ts';
import { removePendingLoginsOf } from './pending-login-store.ts';
import type { SecondFactors } from './second-factor.ts';
import { removeOtherSessionsOf, removeSessionsOf } from './session-store.ts';
import type { Session, Sessions } from './session.ts';
import type { StepUps } from './step-up.ts';

/** Who changes the factors of an account: a session, or a login that awaits its first second factor. */
export type FactorHolder =
  | { readonly session: Session; readonly pending?: undefined }
  | { readonly session?: undefined; readonly pending: PendingLogin };

/** Of the session or the login whose factors are changed. */
export function holderIdOf({ session, pending }: FactorHolder): string {
  return (session ?? pending).id;
}

/** Whose factors are changed. */
export function holderUserIdOf({ session, pending }: FactorHolder): number {
  return (session ?? pending).userId;
}

export interface FactorChange<T> {
  /** Name of the factor. */
  readonly factor: string;
  /** What becomes of it. `added` is proved in the same moment, so the session has it from here on. */
  readonly deed: 'added' | 'removed' | 'replaced';
  /** The change itself, in the transaction. The user's row is locked. */
  readonly work: (tx: Database, user: User) => Promise<T>;
}

/** What a change gives: its own result, and the login whose session carries it on. */
export interface FactorChanged<T> {
  readonly result: T;
  readonly login: Login | undefined;
}

export interface FactorChangeNeeds {
  readonly admissions: Admissions;
  readonly secondFactors: SecondFactors;
  readonly sessions: Sessions;
  readonly stepUps: StepUps;
  /** People may sign in by mail: an account without password and passkey has a way in. */
  readonly signsInByEmail: boolean;
}

export class FactorChanges {
  readonly #context: AuthContext;
  readonly #needs: FactorChangeNeeds;

  constructor(context: AuthContext, needs: FactorChangeNeeds) {
    this.#context = context;
    this.#needs = needs;
  }

  /**
   * The user whose factors the holder may change now.
   * @throws {Problem} step_up_required; session_required for nobody, and for a login that owes a factor that is set.
   */
  async requireHolder(holder: FactorHolder): Promise<User> {
    const { session, pending } = holder;
    if (session !== undefined) await this.#needs.stepUps.requireRecent(session);
    else if (pending.kind !== 'enrolment') throw new Problem('session_required');
    const user = await findUserById(this.#context.db, holderUserIdOf(holder));
    if (user === undefined || user.disabledAt !== null) throw new Problem('session_required');
    return user;
  }

  /**
   * Changes a factor. Another one ends the account's other sessions and half-way logins, which were made without it; a
   * new one counts its tries anew.
   * @throws {Problem} step_up_required, session_required, last_factor; whatever the work throws.
   */
  async change<T>(
    holder: FactorHolder,
    { factor, deed, work }: FactorChange<T>,
    source: ClientSource,
  ): Promise<FactorChanged<T>> {
    const { db, audit } = this.#context;
    const known = await this.requireHolder(holder);
    const { id } = known;
    const arrival = await this.#needs.admissions.arrivalOf(known, source);
    return db.transaction(async (tx) => {
      const user = await lockUser(tx, id);
      if (user === undefined || user.disabledAt !== null) throw new Problem('session_required');
      const result = await work(tx, user);
      await forgetMemories(tx, id);
      if (deed === 'removed') await this.#requireWayIn(tx, user);
      else await this.#needs.secondFactors.forgetTries(tx, id, factor);
      const reason = `${factor}_${deed}`;
      await audit.record(tx, { event: 'user_updated', outcome: 'success', reason, userId: id }, source);
      await notify(this.#context, tx, user, { kind: 'factor_changed', facts: { factor, deed }, source });
      if (holder.pending !== undefined) {
        // What is open beside it was begun without the factor. A stranger who has the password and is half-way as well
        // would otherwise set one of his own up, and be in.
        await removeSessionsOf(tx, id);
        const login = await this.#needs.admissions.finish(tx, user, holder.pending, { use: factor, arrival });
        await removePendingLoginsOf(tx, id);
        return { result, login };
      }
      return {
        result,
        login: deed === 'added' ? await this.#carryOn(tx, holder.session, factor) : undefined,
      };
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
      await removeSessionsOf(tx, userId);
      await removePendingLoginsOf(tx, userId);
      const deed = { event: 'user_updated', outcome: 'success', reason: 'factors_reset' } as const;
      await audit.record(tx, { ...deed, userId }, source);
      await notify(this.#context, tx, user, { kind: 'factors_reset', facts: {}, source });
      return true;
    });
  }

  /** The session with the new factor, under a new token; the others end. */
  async #carryOn(tx: Database, session: Session, factor: string): Promise<Login> {
    const risen = await this.#needs.sessions.rise(tx, session.id, factor);
    if (risen === undefined) throw new Problem('session_required');
    await removeOtherSessionsOf(tx, session.userId, risen.id);
    await removePendingLoginsOf(tx, session.userId);
    return { token: risen.token, deviceToken: undefined };
  }

  /** Of two who remove the last two at once the second is refused: the user's row is locked. */
  async #requireWayIn(tx: Database, user: User): Promise<void> {
    const { secondFactors, signsInByEmail } = this.#needs;
    const left = await secondFactors.setOf(tx, user.id);
    if (left.length === 0 && secondFactors.policy === 'required') throw new Problem('last_factor');
    const isWayInLeft =
      user.hashedPassword !== null || signsInByEmail || (await secondFactors.hasWayIn(tx, user.id));
    if (!isWayInLeft) throw new Problem('last_factor');
    await secondFactors.removeIdleBackups(tx, user.id);
  }
}
