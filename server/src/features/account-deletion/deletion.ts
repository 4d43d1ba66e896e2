// Closes the account of the signed-in user: immediately for everyone, permanently two weeks later. Until then, a link
// in a mail reopens it, so that a thief of a session cannot destroy the account.
import { dayMs } from '../../kit/clock.ts';
import { Problem } from '../../kit/problem.ts';
import type { AuditSource } from '../../audit/event.ts';
import { closeUser, listDueUsers, lockDueUser, reopenUser } from '../../user/closed-user-store.ts';
import { lockUser } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { AuthContext, ClientSource } from '../../identity/context.ts';
import { removeAccount, type RemovalNeeds } from '../../identity/removal.ts';
import { tokenKind } from '../../identity/token/kinds.ts';
import type { OneTimeTokens } from '../../identity/token/one-time-token.ts';
import type { Sessions } from '../../identity/session/session.ts';
import type { Session } from '../../identity/session/session-entry.ts';
import type { StepUp } from '../../identity/step-up/step-up.ts';
import { deletionDays, deletionEvents } from './event.ts';
import '../../identity/session/problem.ts';
import '../../identity/token/problem.ts';

const purger: AuditSource = { actor: 'service' };

/** The token that reopens a closed account. */
export const deletionUndoKind = tokenKind({
  kind: 'deletion_undo',
  prefix: 'del',
  minutes: deletionDays * 24 * 60,
  page: { path: '/account/delete/undo', name: 'deletion_undo', saysDone: true },
  route: '/profile/undo',
});

/** An account that its user closed. */
export interface ClosedAccount {
  readonly email: string;
  /** Unix milliseconds. */
  readonly deleteAt: number;
}

export interface DeletionNeeds extends RemovalNeeds {
  readonly sessions: Pick<Sessions, 'hold'>;
  readonly stepUp: StepUp;
  readonly tokens: OneTimeTokens;
}

export class AccountDeletion {
  readonly name = 'closed accounts';
  readonly #context: AuthContext;
  readonly #needs: DeletionNeeds;

  constructor(context: AuthContext, needs: DeletionNeeds) {
    this.#context = context;
    this.#needs = needs;
  }

  /**
   * Closes the account of the session's user, ends all sessions and mails a link that reopens it. The account is
   * removed two weeks later.
   * @throws {Problem} step_up_required; session_required if the user is disabled; change_pending if the email address
   *   was changed recently.
   */
  async request(session: Session, source: ClientSource): Promise<ClosedAccount> {
    const { db, clock, events } = this.#context;
    const { access, stepUp } = this.#needs;
    await stepUp.requireRecent(session);
    return db.transaction(async (tx) => {
      const user = await lockUser(tx, session.userId);
      if (user === undefined) throw new Problem('session_required');
      await this.#needs.sessions.hold(tx, session);
      const { id: userId, email } = user;
      const now = clock();
      // The token would go to the new address alone: a thief who changed the address could destroy the account.
      await this.#needs.tokens.requireSettledAddress(tx, userId);
      const deleteAt = now + deletionDays * dayMs;
      if (!(await closeUser(tx, { id: userId, now, deleteAt }))) throw new Problem('session_required');
      await access.revoke(tx, userId);
      const { link: undoLink } = await this.#needs.tokens.issue(tx, user, { kind: deletionUndoKind });
      await events.emit(tx, deletionEvents.deletion_requested, {
        user,
        mail: { facts: { deleteAt, undoLink } },
        source,
      });
      return { email, deleteAt };
    });
  }

  /**
   * Reopens the account. Sessions and devices stay revoked; password and factors stay as they were.
   * @throws {Problem} token_invalid, also if the operator has disabled or enabled the account since.
   */
  async undo(presented: string, source: ClientSource): Promise<User> {
    const { db, clock, events } = this.#context;
    const live = await this.#needs.tokens.find(deletionUndoKind, presented, {}, source);
    return db.transaction(async (tx) => {
      const userId = live.user.id;
      await lockUser(tx, userId);
      await this.#needs.tokens.consume(tx, live);
      const user = await reopenUser(tx, userId, clock());
      if (user === undefined) throw new Problem('token_invalid');
      await events.emit(tx, deletionEvents.deletion_undone, { user, source });
      return user;
    });
  }

  /**
   * Removes up to `limit` accounts whose time has come and returns how many. Each account is removed in its own
   * transaction, because it may have many rows.
   */
  async purge(limit: number): Promise<number> {
    const { db, clock } = this.#context;
    const now = clock();
    let total = 0;
    for (const id of await listDueUsers(db, now, limit)) if (await this.#remove(id, now)) total += 1;
    return total;
  }

  #remove(userId: number, now: number): Promise<boolean> {
    const { db, events } = this.#context;
    return db.transaction(async (tx) => {
      if (!(await lockDueUser(tx, userId, now))) return false;
      await removeAccount(tx, userId, this.#needs);
      await events.emit(tx, deletionEvents.account_deleted, { user: { id: userId }, source: purger });
      return true;
    });
  }
}
