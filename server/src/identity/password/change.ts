// Replaces the password of a signed-in user who knows the current one. A stolen session alone is not enough.
import { Problem } from '../../kit/problem.ts';
import { lockUser } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { Accounts } from '../account/account.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import { passwordEvents } from './event.ts';
import type { Sessions } from '../session/session.ts';
import type { RenewedSession, Session } from '../session/session-entry.ts';
import type { StepUp } from '../step-up/step-up.ts';
import '../account/problem.ts';
import '../session/problem.ts';

export interface NewPassword {
  readonly current: string | undefined;
  readonly next: string;
  readonly keepsOthers?: boolean;
}

/** Changes the password of a signed-in user. */
export class PasswordChange {
  readonly #context: AuthContext;
  readonly #accounts: Accounts;
  readonly #sessions: Sessions;
  readonly #stepUp: StepUp;

  constructor(
    context: AuthContext,
    { accounts, sessions, stepUp }: { accounts: Accounts; sessions: Sessions; stepUp: StepUp },
  ) {
    this.#context = context;
    this.#accounts = accounts;
    this.#sessions = sessions;
    this.#stepUp = stepUp;
  }

  /**
   * Stores a new password and gives the session a new token. Ends all other access; with `keepsOthers`, the other sessions
   * and the access of programs stay.
   * @throws {Problem} password_wrong, too_many_attempts, step_up_required; session_required if the session has ended;
   *   invalid_request for a password that the rule rejects.
   */
  async change(
    session: Session,
    { current, next, keepsOthers = false }: NewPassword,
    source: ClientSource,
  ): Promise<{ user: User; renewed: RenewedSession }> {
    const { db, hasher, passwordRule } = this.#context;
    await passwordRule(next, { email: session.email, field: 'new_password' });
    const verified = await this.#stepUp.requirePassword(session, current, source);
    const hashedPassword = await hasher.hash(next);
    return db.transaction(async (tx) => {
      const user = await lockUser(tx, session.userId);
      // Of two concurrent changes with the same current password, the second is rejected.
      if (user === undefined || user.passwordChangedAt > verified.passwordChangedAt)
        throw new Problem('password_wrong');
      const renewed = await this.#sessions.renew(tx, session);
      const changed = await this.#accounts.replacePassword(tx, user.id, hashedPassword, {
        event: keepsOthers ? passwordEvents.password_changed_only : passwordEvents.password_changed,
        source,
        keptSession: renewed.id,
        keepsOthers,
      });
      if (changed === undefined) throw new Problem('session_required');
      return { user: changed, renewed };
    });
  }
}
