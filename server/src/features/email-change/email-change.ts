// Changes the email address of an account. The new address must be confirmed in a session of the account: a mistyped
// address gives nothing away, since its owner has no session. For three days the old address can undo the change, which
// ends every session and removes the password of an attacker.
import { fieldProblem, Problem } from '../../kit/problem.ts';
import { UniqueViolation, type Database } from '../../db/database.ts';
import { requireEmailAddress, toEmailAddress, type EmailAddress } from '../../user/email-address.ts';
import { findUserByEmail, lockUser, updateUser, updateVerified } from '../../user/store.ts';
import { isProvisional, type User } from '../../user/user.ts';
import type { AccountAccess } from '../../identity/account/access.ts';
import type { Accounts } from '../../identity/account/account.ts';
import type { AuthContext, ClientSource } from '../../identity/context.ts';
import { alreadyRegisteredMail } from '../../identity/account/event.ts';
import { tokenKind } from '../../identity/token/kinds.ts';
import type { LiveToken, OneTimeTokens } from '../../identity/token/one-time-token.ts';
import type { PasswordReset } from '../../identity/password/reset.ts';
import type { RenewedSession, Session } from '../../identity/session/session-entry.ts';
import type { StepUp } from '../../identity/step-up/step-up.ts';
import { changeMinutes, emailChangeEvents, emailChangeMail, undoHours } from './event.ts';
import '../../identity/account/problem.ts';
import '../../identity/session/problem.ts';
import '../../identity/token/problem.ts';

/** The token that confirms the new address; redeemed in a session of the account. */
export const emailChangeKind = tokenKind({
  kind: 'email_change',
  prefix: 'chg',
  minutes: changeMinutes,
  page: {
    path: '/account/email',
    name: 'email_change',
    requestPath: '/account/address',
    codePath: '/account/address/code',
  },
  route: '/profile/email',
});

/** The token that restores the old address. */
export const emailUndoKind = tokenKind({
  kind: 'email_undo',
  prefix: 'und',
  minutes: undoHours * 60,
  page: { path: '/account/email/undo', name: 'email_undo', saysDone: true },
  route: '/profile/email/undo',
  survivesPasswordChange: true,
  restoresAddress: true,
});

/** Gives a session a new token, or keeps it. The class Sessions does it. */
interface SessionRenewal {
  /** @throws {Problem} session_required if the session has ended. */
  renew(tx: Database, session: Session): Promise<RenewedSession>;
  /** @throws {Problem} session_required if the session has ended. */
  hold(tx: Database, session: Session): Promise<void>;
}

export interface EmailChangeNeeds {
  readonly access: AccountAccess;
  readonly accounts: Accounts;
  readonly stepUp: StepUp;
  readonly passwordReset: PasswordReset;
  readonly sessions: SessionRenewal;
  readonly tokens: OneTimeTokens;
}

export class EmailChange {
  readonly #context: AuthContext;
  readonly #needs: EmailChangeNeeds;

  constructor(context: AuthContext, needs: EmailChangeNeeds) {
    this.#context = context;
    this.#needs = needs;
  }

  /**
   * Mails a token to the new address. The address changes when the token is redeemed in a session of the account.
   * @throws {Problem} password_wrong, too_many_attempts, step_up_required, change_pending; invalid_request if the
   *   address is the current one or is rejected by a rule.
   */
  async request(
    session: Session,
    { address, password }: { address: EmailAddress; password: string | undefined },
    source: ClientSource,
  ): Promise<void> {
    const { db, events, addressRule } = this.#context;
    const { sessions, stepUp, tokens } = this.#needs;
    if (address.key === toEmailAddress(session.email)?.key)
      throw fieldProblem('email', 'is already the email address of this account', 'same_email');
    await addressRule(address);
    await stepUp.requirePassword(session, password, source);
    await db.transaction(async (tx) => {
      const user = await lockUser(tx, session.userId);
      if (user === undefined) throw new Problem('session_required');
      await sessions.hold(tx, session);
      await tokens.requireSettledAddress(tx, user.id); // a second change would take the undo token from the true owner
      const holder = await findUserByEmail(tx, address);
      const owner = holder !== undefined && isProvisional(holder) ? undefined : holder;
      const token = { kind: emailChangeKind, target: address.text };
      await events.send(tx, emailChangeMail, {
        user,
        recipient: address.text,
        facts: (recipient, grant) => tokens.issueRequested(tx, recipient, token, source, grant),
        source,
        // Only the owner of a taken address learns that it is taken. The user can read their own tokens and mails, so
        // these are stored as for a free address.
        substitute: owner && { kind: alreadyRegisteredMail, language: owner.language },
      });
      await events.emit(tx, emailChangeEvents.email_change_requested, { user, source });
    });
  }

  /** Returns the address that was requested last and can still be confirmed. */
  pendingFor({ userId }: Pick<Session, 'userId'>): Promise<string | undefined> {
    return this.#needs.tokens.targetOfLive(this.#context.db, userId, emailChangeKind);
  }

  /**
   * Consumes the token, changes the address and gives the session a new token. The old address gets a token that restores
   * it.
   * @throws {Problem} token_invalid, also if another account has confirmed the address since; change_pending.
   */
  async redeem(
    session: Session,
    presented: string,
    source: ClientSource,
  ): Promise<{ user: User; renewed: RenewedSession }> {
    const { db } = this.#context;
    const { sessions, tokens } = this.#needs;
    const live = await tokens.find(emailChangeKind, presented, { userId: session.userId }, source);
    const address = requireEmailAddress(live.target);
    return db
      .transaction(async (tx) => {
        const user = await lockUser(tx, session.userId);
        if (user === undefined) throw new Problem('session_required');
        const renewed = await sessions.renew(tx, session);
        await tokens.requireSettledAddress(tx, user.id);
        const moved = await this.#move(tx, user, { live, address, source });
        return { user: moved, renewed: { ...renewed, email: moved.email } };
      })
      .catch((error: unknown) => {
        // Another account has confirmed the address since the request.
        throw error instanceof UniqueViolation ? new Problem('token_invalid', { cause: error }) : error;
      });
  }

  /**
   * Restores the old address: removes the password, ends every session and mails a reset token.
   * @throws {Problem} token_invalid; email_taken if another account has got the old address since.
   */
  async undo(presented: string, source: ClientSource): Promise<User> {
    const { db, events, clock } = this.#context;
    const { accounts, passwordReset, tokens } = this.#needs;
    const live = await tokens.find(emailUndoKind, presented, {}, source);
    const address = requireEmailAddress(live.target);
    return db.transaction(async (tx) => {
      const { id } = live.user;
      await lockUser(tx, id);
      await tokens.consume(tx, live);
      const other = await findUserByEmail(tx, address);
      if (other !== undefined && other.id !== id) {
        // Another account has registered the old address since. If it is provisional, it is removed: this token proves
        // access to the mailbox.
        if (!isProvisional(other)) throw new Problem('email_taken');
        await accounts.releaseAddress(tx, address, source);
      }
      await updateUser(tx, id, { email: address }, clock());
      // The attacker knew the password, and could sign in with a factor of their own. Factors that the mailbox cannot
      // undo stay: access to it alone must not bypass them.
      await accounts.revokeAccessSince(tx, id, await tokens.undoableSince(tx, live));
      const user = await updateVerified(tx, id, clock());
      if (user === undefined) throw new Problem('token_invalid');
      await events.emit(tx, emailChangeEvents.email_change_undone, { user, source });
      await passwordReset.send(tx, user, source, { isProven: true });
      return user;
    });
  }

  async #move(
    tx: Database,
    user: User,
    { live, address, source }: { live: LiveToken; address: EmailAddress; source: ClientSource },
  ): Promise<User> {
    const { clock, events } = this.#context;
    const { access, accounts, tokens } = this.#needs;
    await tokens.consume(tx, live);
    await access.revoke(tx, user.id, { kinds: ['token'] });
    await accounts.releaseAddress(tx, address, source);
    await updateUser(tx, user.id, { email: address }, clock());
    const moved = await updateVerified(tx, user.id, clock());
    if (moved === undefined) throw new Problem('session_required');
    const { link: undoLink } = await tokens.issue(tx, user, { kind: emailUndoKind, target: user.email });
    // Sent to the old address: `user` is the account before the change.
    await events.emit(tx, emailChangeEvents.email_changed, {
      user,
      mail: { facts: { newEmail: moved.email, undoLink } },
      source,
    });
    return moved;
  }
}
