// Whether mail to an account's address reaches its owner.
import { hourMs } from '../../kit/clock.ts';
import { Problem } from '../../kit/problem.ts';
import type { Database } from '../../db/database.ts';
import type { EmailAddress } from '../../user/email-address.ts';
import { lockUser, lockUserByEmail, updateVerified } from '../../user/store.ts';
import type { User } from '../../user/user.ts';
import { idOf, type AuthContext, type ClientSource } from '../context.ts';
import { isFlooded, notify } from '../notice.ts';
import { tokenKind } from '../token/kinds.ts';
import type { OneTimeTokens } from '../token/one-time-token.ts';
import type { AccountAccess } from './access.ts';

/** Life of a confirmation token (NIST SP 800-63B-4 §3.1.3.1: at most 24 hours by mail). */
const verificationHours = 24;

/** Confirms the address of an account. */
export const verificationKind = tokenKind({
  kind: 'verification',
  prefix: 'vrf',
  minutes: verificationHours * 60,
  page: { path: '/confirm', name: 'confirm', requestPath: '/confirm/again' },
  route: '/email_verification',
  refusalEvent: 'user_updated',
  namesAccount: true,
});

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
   * Mails a token to the user's address and replaces the previous one. Without a user it runs the same statements but stores
   * nothing. Inside a transaction.
   */
  async send(tx: Database, user: User | undefined, source: ClientSource): Promise<void> {
    const token = { kind: verificationKind, target: user?.email ?? '' };
    const facts = await this.#tokens.issue(tx, user, token, source);
    await notify(this.#context, tx, user, {
      kind: 'email_verification',
      facts,
      lifeMs: verificationHours * hourMs,
      voidsEarlier: true, // of many who register one address at once its owner hears but once
      source,
    });
  }

  /**
   * Sends a new confirmation token to an account whose address is not confirmed. Any other address looks and costs the
   * same.
   */
  async request(address: EmailAddress, source: ClientSource): Promise<void> {
    const { db, audit } = this.#context;
    await db.transaction(async (tx) => {
      const user = await lockUserByEmail(tx, address);
      const isAsked =
        user !== undefined &&
        user.emailVerifiedAt === null &&
        user.disabledAt === null &&
        (await this.#isHeld(tx, user, source));
      const isFlood = await isFlooded(this.#context, tx, user, 'email_verification');
      await this.send(tx, isAsked && !isFlood ? user : undefined, source);
      const outcome = isAsked ? 'success' : 'failure';
      await audit.record(
        tx,
        { event: 'authn_token_created', outcome, reason: 'email_verification', ...idOf(user) },
        source,
      );
    });
  }

  /**
   * Confirms the address of the account and consumes the token.
   * @throws {Problem} token_invalid; same_browser_required for an account without a password in another browser.
   */
  async redeem(email: EmailAddress, presented: string, source: ClientSource): Promise<User> {
    const { db, clock, audit } = this.#context;
    const live = await this.#tokens.find(verificationKind, presented, { email }, source);
    if (live.user.emailVerifiedAt === null && live.user.hashedPassword === null && !live.isInitiatingBrowser)
      throw new Problem('same_browser_required');
    return db.transaction(async (tx) => {
      const before = await lockUser(tx, live.user.id);
      await this.#tokens.consume(tx, live);
      const user = await updateVerified(tx, live.user.id, clock());
      if (user === undefined) throw new Problem('token_invalid');
      if (before?.emailVerifiedAt === null) {
        // Whoever came in before the address was proved (confirmation was not asked then) may not be its owner.
        await this.#access.revoke(tx, user.id, { kinds: ['sign_in', 'device'] });
      }
      await audit.record(
        tx,
        { event: 'user_updated', outcome: 'success', reason: 'email_verified', userId: user.id },
        source,
      );
      return user;
    });
  }

  /**
   * An account that is opened by a factor alone is confirmed where it was made: the factor may be that of a stranger who
   * named this address, and stays in the account whatever its owner sets as password.
   */
  async #isHeld(tx: Database, user: User, source: ClientSource): Promise<boolean> {
    return (
      user.hashedPassword !== null ||
      (await this.#tokens.isInitiatingBrowser(tx, user.id, verificationKind, source))
    );
  }
}
