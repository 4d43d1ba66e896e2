// Another address for an account. Nothing moves until the person who is signed in has proved the new one: a mistyped
// address gives nothing away, since its owner has no session. The old address may undo it for three days, which throws
// out whoever changed it.
import { hourMs, minuteMs } from '../../kit/clock.ts';
import { fieldProblem, Problem } from '../../kit/problem.ts';
import { UniqueViolation, type Database } from '../../db/database.ts';
import { isSameAddress, requireEmailAddress, type EmailAddress } from '../../user/email-address.ts';
import { findUserByEmail, lockUser, removeUser, updateUser, updateVerified } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { Accounts } from '../../identity/account/account.ts';
import type { AuthContext, ClientSource } from '../../identity/context.ts';
import { isFlooded, notify } from '../../identity/notice.ts';
import type { LiveProof, OneTimeTokens } from '../../identity/token/one-time-token.ts';
import type { PasswordReset } from '../../identity/password/reset.ts';
import type { Session } from '../../identity/session/session.ts';
import type { StepUp } from '../../identity/sign-in/step-up.ts';
import { findPendingToken } from '../../identity/token/store.ts';

const changeMinutes = 60;
/** How long the old address may undo a change: over a weekend. */
const undoHours = 72;

export interface EmailChangeNeeds {
  readonly accounts: Accounts;
  readonly stepUp: StepUp;
  readonly passwordReset: PasswordReset;
  readonly tokens: OneTimeTokens;
}

export class EmailChange {
  readonly #context: AuthContext;
  readonly #needs: EmailChangeNeeds;

  constructor(context: AuthContext, needs: EmailChangeNeeds) {
    this.#context = context;
    this.#needs = needs;
  }

  /** See Auth.requestEmailChange. */
  async request(
    session: Session,
    { email, password }: { email: string; password: string | undefined },
    source: ClientSource,
  ): Promise<void> {
    const { db, audit, addressRule } = this.#context;
    const { stepUp, tokens } = this.#needs;
    const address = requireEmailAddress(email);
    if (isSameAddress(email, session.email))
      throw fieldProblem('email', 'is already the email address of this account', 'same_email');
    await addressRule(address);
    await stepUp.requirePassword(session, password, source);
    await db.transaction(async (tx) => {
      const user = await lockUser(tx, session.userId);
      if (user === undefined) throw new Problem('session_required');
      await this.#requireSettled(tx, user);
      const owner = await findUserByEmail(tx, address);
      const isFlood = await isFlooded(this.#context, tx, user, 'email_change');
      const initiator = owner === undefined && !isFlood ? user : undefined;
      const proof = { kind: 'email_change', minutes: changeMinutes, target: address.text } as const;
      const facts = await tokens.issue(tx, initiator, proof, source);
      await notify(this.#context, tx, initiator, {
        kind: 'email_change',
        facts,
        recipient: address.text,
        lifeMs: changeMinutes * minuteMs,
        voidsEarlier: true,
        source,
      });
      // Whether it is taken is told to its owner alone.
      const isTold = await isFlooded(this.#context, tx, owner, 'already_registered');
      await notify(this.#context, tx, isTold ? undefined : owner, {
        kind: 'already_registered',
        facts: {},
        source,
      });
      const deed = { event: 'authn_token_created', outcome: 'success', reason: 'email_change' } as const;
      await audit.record(tx, { ...deed, userId: user.id }, source);
    });
  }

  /** See Auth.changeEmail. */
  async redeem(session: Session, presented: string, source: ClientSource): Promise<User> {
    const { db } = this.#context;
    const live = await this.#needs.tokens.find('email_change', presented, { userId: session.userId }, source);
    const address = requireEmailAddress(live.target);
    return db
      .transaction(async (tx) => {
        const user = await lockUser(tx, session.userId);
        if (user === undefined) throw new Problem('session_required');
        await this.#requireSettled(tx, user);
        return this.#move(tx, user, { live, address, source });
      })
      .catch((error: unknown) => {
        // Somebody has confirmed it meanwhile.
        throw error instanceof UniqueViolation ? new Problem('token_invalid', { cause: error }) : error;
      });
  }

  /** See Auth.undoEmailChange. */
  async undo(presented: string, source: ClientSource): Promise<User> {
    const { db, audit, clock } = this.#context;
    const { accounts, passwordReset, tokens } = this.#needs;
    const live = await tokens.find('email_undo', presented, {}, source);
    const address = requireEmailAddress(live.target);
    return db.transaction(async (tx) => {
      const { id } = live.user;
      await lockUser(tx, id);
      await tokens.consume(tx, live);
      const squatter = await findUserByEmail(tx, address);
      if (squatter !== undefined && squatter.id !== id) {
        // Registered meanwhile. Whoever holds the mailbox has confirmed it, or it was never theirs.
        if (squatter.emailVerifiedAt !== null) throw new Problem('email_taken');
        await removeUser(tx, squatter.id);
      }
      await updateUser(tx, id, { email: address }, clock());
      // Whoever changed it knew the password, and a factor of theirs would let them in again. What the owner had before
      // stays: whoever reads the old mailbox alone does not pass it.
      await accounts.revokeAccessSince(tx, id, live.madeAt);
      const user = await updateVerified(tx, id, clock());
      if (user === undefined) throw new Problem('token_invalid');
      const deed = { event: 'user_updated', outcome: 'success', reason: 'email_change_undone' } as const;
      await audit.record(tx, { ...deed, userId: id }, source);
      await notify(this.#context, tx, user, { kind: 'email_change_undone', facts: {}, source });
      await passwordReset.post(tx, user, source);
      return user;
    });
  }

  async #move(
    tx: Database,
    user: User,
    { live, address, source }: { live: LiveProof; address: EmailAddress; source: ClientSource },
  ): Promise<User> {
    const { clock, audit } = this.#context;
    const { accounts, tokens } = this.#needs;
    await tokens.consume(tx, live);
    await accounts.revokeTokens(tx, user.id);
    await updateUser(tx, user.id, { email: address }, clock());
    const moved = await updateVerified(tx, user.id, clock());
    if (moved === undefined) throw new Problem('session_required');
    const proof = { kind: 'email_undo', minutes: undoHours * 60, target: user.email } as const;
    const { link: undoLink } = await tokens.issue(tx, user, proof);
    await notify(this.#context, tx, user, {
      kind: 'email_changed',
      facts: { newEmail: moved.email, undoLink, undoHours },
      lifeMs: undoHours * hourMs,
      source,
    });
    const deed = { event: 'user_updated', outcome: 'success', reason: 'email_changed' } as const;
    await audit.record(tx, { ...deed, userId: user.id }, source);
    return moved;
  }

  /** While a change can be undone no other is made: the second would take the undoing from the true owner's hands. */
  async #requireSettled(tx: Database, user: User): Promise<void> {
    if ((await findPendingToken(tx, user.id, 'email_undo', this.#context.clock())) !== undefined)
      throw new Problem('change_pending');
  }
}
