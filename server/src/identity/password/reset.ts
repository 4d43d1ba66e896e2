// Resets passwords by token: issues tokens, in the reply or by mail to the account's address, and redeems them.
import { minuteMs } from '../../kit/clock.ts';
import { Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import type { EmailAddress } from '../../user/email-address.ts';
import { lockUser, lockUserByEmail, updateVerified } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import type { Accounts } from '../account/account.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import { tokenKind } from '../token/kinds.ts';
import { passwordEvents, resetPasswordMail } from './event.ts';
import type { OneTimeTokens } from '../token/one-time-token.ts';
import '../token/problem.ts';
import '../account/problem.ts';

/** Kind of token that sets a new password. Its life is the option RESET_TOKEN_MINUTES. */
export const resetKind = tokenKind({
  kind: 'reset',
  prefix: 'rst',
  minutes: 60,
  page: { path: '/reset', name: 'reset', requestPath: '/forgot', codePath: '/reset/code', hasPassword: true },
  route: '/reset_password',
  refusalEvent: passwordEvents.reset_token_refused,
  namesAccount: true,
});

/** Issues, mails and redeems reset tokens. */
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

  /**
   * Creates a reset token for the user and replaces all previous ones. With `isMailed` it also mails the token.
   * @throws {Problem} unknown_email; also for a disabled user.
   */
  async createToken(
    address: EmailAddress,
    source: ClientSource,
    { isMailed = false }: { readonly isMailed?: boolean } = {},
  ): Promise<string> {
    const { db } = this.#context;
    const token = await db.transaction(async (tx) => {
      const user = await lockUserByEmail(tx, address);
      if (user === undefined || user.disabledAt !== null) return undefined;
      await this.#recordRequest(tx, user, true, source);
      const { tokenId, ...facts } = await this.#tokens.issue(
        tx,
        user,
        { kind: resetKind, minutes: this.#minutes },
        source,
        { replacesAll: true },
      );
      if (isMailed)
        await this.#context.events.send(tx, resetPasswordMail, {
          user,
          source,
          isProven: true,
          lifeMs: this.#minutes * minuteMs,
          facts: async () => ({ facts, tokenId }),
        });
      return facts.token;
    });
    if (token === undefined) throw new Problem('unknown_email');
    return token;
  }

  /** Mails a new reset token to the account of this address. Constant work. */
  async request(address: EmailAddress, source: ClientSource): Promise<void> {
    const { db } = this.#context;
    await db.transaction(async (tx) => {
      const user = await lockUserByEmail(tx, address);
      const open = user?.disabledAt === null ? user : undefined;
      const recipient = await this.send(tx, open, source);
      await this.#recordRequest(tx, user, recipient !== undefined, source);
    });
  }

  /**
   * Mails a reset token to the user's address and returns the recipient. With `isProven` no pause applies: the user has
   * just redeemed another mailed token. Constant work: without a user it stores nothing. Inside a transaction.
   */
  async send(
    tx: Database,
    user: User | undefined,
    source: ClientSource,
    { isProven = false }: { readonly isProven?: boolean } = {},
  ): Promise<User | undefined> {
    const minutes = this.#minutes;
    return this.#context.events.send(tx, resetPasswordMail, {
      user,
      source,
      isProven,
      lifeMs: minutes * minuteMs,
      // With a target, redeeming also confirms the address: only its owner receives the mail.
      facts: (recipient, grant) => {
        const token = { kind: resetKind, minutes, target: recipient?.email ?? '' };
        return this.#tokens.issueRequested(tx, recipient, token, source, grant);
      },
    });
  }

  /**
   * Consumes the reset token or its code, stores the new password, ends every session of the user and forgets the
   * failed attempts: all or nothing. With `email` the token must be that user's.
   * @throws {Problem} token_invalid; nothing changes.
   * @throws {Problem} invalid_request for a password that the rule rejects; the token can still be used.
   */
  async redeem(
    presented: string | null | undefined,
    password: string,
    email: EmailAddress | undefined,
    source: ClientSource,
  ): Promise<User> {
    const { db, hasher, clock, passwordRule } = this.#context;
    // Found before the password is hashed, so that guessed tokens cost no hash (denial of service).
    const live = await this.#tokens.find(resetKind, presented, { email }, source);
    await passwordRule(password, { email: live.user.email, field: 'new_password' });
    const hashedPassword = await hasher.hash(password);
    return db.transaction(async (tx) => {
      const { id } = live.user;
      const before = await lockUser(tx, id);
      await this.#tokens.consume(tx, live);
      if (before !== undefined) await this.#accounts.removeFactorsOfUnverifiedAccount(tx, before);
      const user = await this.#accounts.replacePassword(tx, id, hashedPassword, {
        event: passwordEvents.password_reset,
        source,
      });
      if (user === undefined) throw new Problem('token_invalid');
      return live.target === user.email ? ((await updateVerified(tx, id, clock())) ?? user) : user;
    });
  }

  #recordRequest(
    tx: Database,
    user: User | undefined,
    isIssued: boolean,
    source: ClientSource,
  ): Promise<void> {
    const { reset_requested, reset_request_refused } = passwordEvents;
    return this.#context.events.emit(tx, isIssued ? reset_requested : reset_request_refused, {
      user,
      source,
    });
  }
}
