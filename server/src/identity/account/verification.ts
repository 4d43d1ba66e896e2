// Confirms that the owner of an account receives mail at its address: sends and redeems confirmation tokens.
import { Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import type { EmailAddress } from '../../user/email-address.ts';
import { lockUser, lockUserByEmail, updateVerified } from '../../user/store.ts';
import { noUserId, type User } from '../../user/user.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import { tokenKind } from '../token/kinds.ts';
import type { OneTimeTokens } from '../token/one-time-token.ts';
import type { AccountAccess } from './access.ts';
import { accountEvents, emailVerificationMail, verificationHours } from './event.ts';
import './problem.ts';
import '../token/problem.ts';

/** Kind of token that confirms the address of an account. */
export const verificationKind = tokenKind({
  kind: 'verification',
  prefix: 'vrf',
  minutes: verificationHours * 60,
  page: { path: '/confirm', name: 'confirm', requestPath: '/confirm/again' },
  route: '/email_verification',
  namesAccount: true,
});

/** Sends and redeems confirmation tokens. */
export class EmailVerification {
  readonly #context: AuthContext;
  readonly #tokens: OneTimeTokens;
  readonly #access: AccountAccess;

  constructor(context: AuthContext, tokens: OneTimeTokens, access: AccountAccess) {
    this.#context = context;
    this.#tokens = tokens;
    this.#access = access;
  }

  /**
   * Mails a token to the user's address, now or after a pause. Constant work: without a user it stores nothing.
   * Inside a transaction.
   */
  async send(tx: Database, user: User | undefined, source: ClientSource): Promise<void> {
    await this.#context.events.send(tx, emailVerificationMail, {
      user,
      source,
      facts: (recipient, grant) => {
        const token = { kind: verificationKind, target: recipient?.email ?? '' };
        return this.#tokens.issueRequested(tx, recipient, token, source, grant);
      },
    });
  }

  /**
   * Mails a new confirmation token to an account whose address is not confirmed. Constant work: other addresses look
   * and cost the same.
   */
  async request(address: EmailAddress, source: ClientSource): Promise<void> {
    const { db, events } = this.#context;
    await db.transaction(async (tx) => {
      const user = await lockUserByEmail(tx, address);
      const isAsked =
        (await this.#mayVerify(tx, user, source)) &&
        user?.emailVerifiedAt === null &&
        user.disabledAt === null;
      await this.send(tx, isAsked ? user : undefined, source);
      const { email_verification_requested: requested, email_verification_request_refused: refused } =
        accountEvents;
      await events.emit(tx, isAsked ? requested : refused, { user, source });
    });
  }

  /**
   * Confirms the address of the account and consumes the token.
   * @throws {Problem} token_invalid; same_browser_required for an account without a password in another browser.
   */
  async redeem(email: EmailAddress, presented: string, source: ClientSource): Promise<User> {
    const { db, clock, events } = this.#context;
    const live = await this.#tokens.find(verificationKind, presented, { email }, source);
    if (live.user.emailVerifiedAt === null && live.user.hashedPassword === null && !live.isInitiatingBrowser)
      throw new Problem('same_browser_required');
    return db.transaction(async (tx) => {
      const before = await lockUser(tx, live.user.id);
      await this.#tokens.consume(tx, live);
      const user = await updateVerified(tx, live.user.id, clock());
      if (user === undefined) throw new Problem('token_invalid');
      if (before?.emailVerifiedAt === null) {
        // Access from before the confirmation (while EMAIL_CONFIRMATION was off) may belong to an attacker who
        // registered the address.
        await this.#access.revoke(tx, user.id, { kinds: ['sign_in', 'device'] });
      }
      await events.emit(tx, accountEvents.email_verified, { user, source });
      return user;
    });
  }

  /**
   * Returns true if the account has a password, or the request comes from the initiating browser. Without a password,
   * the factor may belong to an attacker who registered the address of the victim (account pre-hijacking), and would
   * stay after the owner sets a password. Constant work.
   */
  async #mayVerify(tx: Database, user: User | undefined, source: ClientSource): Promise<boolean> {
    const userId = user?.id ?? noUserId;
    const isInitiator = await this.#tokens.isInitiatingBrowser(tx, userId, verificationKind, source);
    return isInitiator || (user !== undefined && user.hashedPassword !== null);
  }
}
