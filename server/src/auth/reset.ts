// A new password for whoever proves to hold a reset token: given in the reply, or sent to the account's address.
import { minuteMs } from '../kit/clock.ts';
import { Problem } from '../kit/problem.ts';
import { createToken, parseToken } from '../kit/secret.ts';
import type { Database } from '../db/database.ts';
import type { AuditDeed, AuditSource } from '../audit/event.ts';
import { resetMail } from '../mail/text.ts';
import { isSameAddress, requireEmailAddress, toEmailAddress } from '../user/email-address.ts';
import { findUserById, lockUser, lockUserByEmail, updateVerified } from '../user/store.ts';
import { nobody, type User } from '../user/user.ts';
import type { Accounts } from './account.ts';
import { idOf, type AuthContext } from './context.ts';
import { consumeToken, findToken, removeToken, replaceToken } from './token-store.ts';

export class Resets {
  readonly #context: AuthContext;
  readonly #accounts: Accounts;
  readonly #tokenMinutes: number;

  constructor(context: AuthContext, accounts: Accounts, tokenMinutes: number) {
    this.#context = context;
    this.#accounts = accounts;
    this.#tokenMinutes = tokenMinutes;
  }

  /** See Auth.getResetPasswordToken. */
  async createToken(email: string, source: AuditSource): Promise<string> {
    const { db } = this.#context;
    const address = toEmailAddress(email);
    const token = await db.transaction(async (tx) => {
      const user = address && (await lockUserByEmail(tx, address));
      if (user === undefined || user.disabledAt !== null) return undefined;
      await this.#recordRequest(tx, user, true, source);
      return this.#issue(tx, user.id);
    });
    if (token === undefined) throw new Problem('unknown_email');
    return token;
  }

  /** See Auth.requestReset. */
  async requestByMail(email: string, source: AuditSource): Promise<void> {
    const { db, clock, post } = this.#context;
    if (post === undefined) throw new Error('A reset by mail needs an outbox');
    const address = requireEmailAddress(email);
    await db.transaction(async (tx) => {
      const user = await lockUserByEmail(tx, address);
      // The mail of a moment ago still holds a live token; another would void it and only help whoever floods.
      const isFlood = await post.outbox.hasPosted(tx, user?.id ?? nobody, 'reset_password');
      const mayHave = user !== undefined && user.disabledAt === null && !isFlood;
      const userId = mayHave ? user.id : nobody;
      const token = await this.#issue(tx, userId);
      await post.outbox.post(tx, {
        kind: 'reset_password',
        userId,
        recipient: user?.email ?? '',
        expiresAt: clock() + this.#tokenMinutes * minuteMs,
        ...resetMail(post.sender, token, this.#tokenMinutes),
      });
      await this.#recordRequest(tx, user, mayHave, source);
    });
  }

  /** See Auth.updatePassword. */
  async redeem(
    resetToken: string | null | undefined,
    password: string,
    email: string | undefined,
    source: AuditSource,
  ): Promise<User> {
    const { db, hasher, clock, audit, passwordRule } = this.#context;
    const parts = parseToken('reset', resetToken);
    if (parts === undefined) throw new Problem('token_invalid');
    // A look before the work, so that a guessed token costs no hash. The decision is consumeToken's.
    const token = await findToken(db, parts, 'reset');
    if (token === undefined) throw new Problem('token_invalid');
    const isReuse = token.spent_at !== null;
    const isExpired = token.expires_at <= clock();
    const owner = await findUserById(db, token.user_id);
    const isTheirs = owner !== undefined && (email === undefined || isSameAddress(email, owner.email));
    if (isReuse || isExpired || !isTheirs) {
      await db.transaction(async (tx) => {
        // Gone for good, whatever becomes of the clock. A spent one stays, so that its reuse is noticed.
        if (isExpired && !isReuse) await removeToken(tx, parts.id);
        await audit.record(tx, { ...refusedToken(isReuse), userId: token.user_id }, source);
      });
      throw new Problem('token_invalid');
    }
    await passwordRule(password, { email: owner.email, field: 'new_password' });
    const hashedPassword = await hasher.hash(password);
    return db.transaction(async (tx) => {
      await lockUser(tx, owner.id);
      const userId = await consumeToken(tx, parts, 'reset', clock());
      if (userId === undefined) throw new Problem('token_invalid');
      const user = await this.#accounts.replacePassword(tx, userId, hashedPassword, {
        reason: 'reset',
        source,
      });
      if (user === undefined) throw new Problem('token_invalid');
      // The token came by mail alone, so whoever has it owns the address.
      return this.#context.post === undefined ? user : ((await updateVerified(tx, userId, clock())) ?? user);
    });
  }

  /** A new token of the user, in the place of the older one; of nobody, one that is written nowhere. Runs inside a transaction. */
  async #issue(tx: Database, userId: number): Promise<string> {
    const { id, secretHash, token } = createToken('reset');
    const now = this.#context.clock();
    const expiresAt = now + this.#tokenMinutes * minuteMs;
    await replaceToken(tx, { id, secretHash, userId, kind: 'reset', now, expiresAt });
    return token;
  }

  #recordRequest(
    tx: Database,
    user: User | undefined,
    isIssued: boolean,
    source: AuditSource,
  ): Promise<void> {
    const outcome = isIssued ? 'success' : 'failure';
    const deed = { event: 'authn_token_created', outcome, reason: 'reset', ...idOf(user) } as const;
    return this.#context.audit.record(tx, deed, source);
  }
}

function refusedToken(isReuse: boolean): AuditDeed {
  return isReuse
    ? { event: 'authn_token_reuse', outcome: 'failure', reason: 'reset' }
    : { event: 'authn_password_change_fail', outcome: 'failure', reason: 'token_invalid' };
}
