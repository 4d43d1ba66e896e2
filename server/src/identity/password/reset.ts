// A new password for whoever proves to hold a reset token: given in the reply, or sent to the account's address.
import { minuteMs } from '../../kit/clock.ts';
import { Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import type { AuditSource } from '../../audit/event.ts';
import { requireEmailAddress, toEmailAddress } from '../../user/email-address.ts';
import { lockUser, lockUserByEmail, updateVerified } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { Accounts } from '../account/account.ts';
import { idOf, type AuthContext, type ClientSource } from '../context.ts';
import { isFlooded, notify } from '../notice.ts';
import type { OneTimeTokens } from '../token/one-time-token.ts';
import '../token/problem.ts';
import '../account/problem.ts';

export class PasswordReset {
  readonly #context: AuthContext;
  readonly #accounts: Accounts;
  readonly #tokens: OneTimeTokens;
  readonly #minutes: number;

  constructor(
    context: AuthContext,
    accounts: Accounts,
    { tokens, minutes }: { tokens: OneTimeTokens; minutes: number },
  ) {
    this.#context = context;
    this.#accounts = accounts;
    this.#tokens = tokens;
    this.#minutes = minutes;
  }

  /** See Auth.getResetPasswordToken. */
  async createToken(email: string, source: ClientSource): Promise<string> {
    const { db } = this.#context;
    const address = toEmailAddress(email);
    const token = await db.transaction(async (tx) => {
      const user = address && (await lockUserByEmail(tx, address));
      if (user === undefined || user.disabledAt !== null) return undefined;
      await this.#recordRequest(tx, user, true, source);
      return (await this.#tokens.issue(tx, user, { kind: 'reset', minutes: this.#minutes }, source)).token;
    });
    if (token === undefined) throw new Problem('unknown_email');
    return token;
  }

  /** See Auth.requestReset. */
  async requestByMail(email: string, source: ClientSource): Promise<void> {
    const { db } = this.#context;
    const address = requireEmailAddress(email);
    await db.transaction(async (tx) => {
      const user = await lockUserByEmail(tx, address);
      // The mail of a moment ago still holds a live token; another would void it and only help whoever floods.
      const isFlood = await isFlooded(this.#context, tx, user, 'reset_password');
      const recipient = user?.disabledAt === null && !isFlood ? user : undefined;
      await this.post(tx, recipient, source);
      await this.#recordRequest(tx, user, recipient !== undefined, source);
    });
  }

  /** Posts a reset token to the user's address; without a user does as much and writes nothing. Inside a transaction. */
  async post(tx: Database, user: User | undefined, source: ClientSource): Promise<void> {
    const minutes = this.#minutes;
    // The address is the target: whoever redeems what came by mail alone owns it.
    const facts = await this.#tokens.issue(
      tx,
      user,
      { kind: 'reset', minutes, target: user?.email ?? '' },
      source,
    );
    await notify(this.#context, tx, user, {
      kind: 'reset_password',
      facts,
      lifeMs: minutes * minuteMs,
      voidsEarlier: true,
      source,
    });
  }

  /** See Auth.updatePassword. */
  async redeem(
    proof: string | null | undefined,
    password: string,
    email: string | undefined,
    source: ClientSource,
  ): Promise<User> {
    const { db, hasher, clock, passwordRule } = this.#context;
    // A look before the work, so that a guessed token costs no hash.
    const live = await this.#tokens.find('reset', proof, { email }, source);
    await passwordRule(password, { email: live.user.email, field: 'new_password' });
    const hashedPassword = await hasher.hash(password);
    return db.transaction(async (tx) => {
      const { id } = live.user;
      const before = await lockUser(tx, id);
      await this.#tokens.consume(tx, live);
      if (before !== undefined) await this.#accounts.removeFactorsOfUnverifiedAccount(tx, before);
      const user = await this.#accounts.replacePassword(tx, id, hashedPassword, { reason: 'reset', source });
      if (user === undefined) throw new Problem('token_invalid');
      return live.target === user.email ? ((await updateVerified(tx, id, clock())) ?? user) : user;
    });
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
