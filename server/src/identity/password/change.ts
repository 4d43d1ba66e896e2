// A new password for whoever is signed in and knows the current one. A stolen session alone changes nothing.
import { Problem } from '../../kit/problem.ts';
import { lockUser } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { Accounts } from '../account/account.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import type { Session } from '../session/session.ts';
import type { StepUp } from '../sign-in/step-up.ts';
import './problem.ts';
import '../session/problem.ts';

export class PasswordChange {
  readonly #context: AuthContext;
  readonly #accounts: Accounts;
  readonly #stepUp: StepUp;

  constructor(context: AuthContext, accounts: Accounts, stepUp: StepUp) {
    this.#context = context;
    this.#accounts = accounts;
    this.#stepUp = stepUp;
  }

  /** See Auth.changePassword. */
  async change(
    session: Session,
    { current, next }: { current: string | undefined; next: string },
    source: ClientSource,
  ): Promise<User> {
    const { db, hasher, passwordRule } = this.#context;
    await passwordRule(next, { email: session.email, field: 'new_password' });
    const verified = await this.#stepUp.requirePassword(session, current, source);
    const hashedPassword = await hasher.hash(next);
    return db.transaction(async (tx) => {
      const user = await lockUser(tx, session.userId);
      // Of two who change it at once with the same current one, the second is wrong.
      if (user === undefined || user.passwordChangedAt > verified.passwordChangedAt)
        throw new Problem('password_wrong');
      const changed = await this.#accounts.replacePassword(tx, user.id, hashedPassword, {
        reason: 'changed',
        source,
        keptSession: session.id,
      });
      if (changed === undefined) throw new Problem('session_required');
      return changed;
    });
  }
}
