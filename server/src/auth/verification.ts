// Whether mail to an address reaches its owner: asked by a mail with a token, proved by sending the token back.
import { hourMs } from '../kit/clock.ts';
import { Problem } from '../kit/problem.ts';
import { createToken, parseToken } from '../kit/secret.ts';
import type { Database } from '../db/database.ts';
import type { AuditSource } from '../audit/event.ts';
import { verificationMail } from '../mail/text.ts';
import { isSameAddress, requireEmailAddress } from '../user/email-address.ts';
import { findUserById, lockUser, lockUserByEmail, updateVerified } from '../user/store.ts';
import { nobody, type User } from '../user/user.ts';
import { idOf, type AuthContext } from './context.ts';
import { removeDevicesOf } from './device-store.ts';
import { removeSessionsOf } from './session-store.ts';
import { consumeToken, findToken, removeToken, replaceToken } from './token-store.ts';

/** Life of a confirmation token (NIST SP 800-63B-4 §3.1.3.1: at most 24 hours by mail). */
const verificationHours = 24;

export class Verifications {
  readonly #context: AuthContext;

  constructor(context: AuthContext) {
    this.#context = context;
  }

  /**
   * Posts a token to the user's address, in the place of the older one; without a user does as much and writes nothing.
   * Runs inside a transaction.
   */
  async ask(tx: Database, user: User | undefined): Promise<void> {
    const { clock, post } = this.#context;
    if (post === undefined) return;
    const userId = user?.id ?? nobody;
    const { id, secretHash, token } = createToken('verification');
    const now = clock();
    const expiresAt = now + verificationHours * hourMs;
    await replaceToken(tx, { id, secretHash, userId, kind: 'verification', now, expiresAt });
    // What it held is void, and of many who register one address at once its owner hears but once.
    await post.outbox.withdraw(tx, userId, 'email_verification');
    const mail = verificationMail(post.sender, token, verificationHours);
    await post.outbox.post(tx, {
      kind: 'email_verification',
      userId,
      recipient: user?.email ?? '',
      expiresAt,
      ...mail,
    });
  }

  /** See Auth.requestVerification. */
  async askAgain(email: string, source: AuditSource): Promise<void> {
    const { db, audit, post } = this.#context;
    const address = requireEmailAddress(email);
    await db.transaction(async (tx) => {
      const user = await lockUserByEmail(tx, address);
      const isAsked = user !== undefined && user.emailVerifiedAt === null && user.disabledAt === null;
      const isFlood = await post?.outbox.hasPosted(tx, user?.id ?? nobody, 'email_verification');
      await this.ask(tx, isAsked && isFlood !== true ? user : undefined);
      const outcome = isAsked ? 'success' : 'failure';
      await audit.record(
        tx,
        { event: 'authn_token_created', outcome, reason: 'email_verification', ...idOf(user) },
        source,
      );
    });
  }

  /** See Auth.verifyEmail. */
  async redeem(email: string, token: string, source: AuditSource): Promise<User> {
    const { db, clock, audit } = this.#context;
    const parts = parseToken('verification', token);
    const found = parts && (await findToken(db, parts, 'verification'));
    const owner = found && (await findUserById(db, found.user_id));
    if (parts === undefined || owner === undefined || !isSameAddress(email, owner.email))
      throw new Problem('token_invalid');
    if (found !== undefined && found.expires_at <= clock()) {
      await removeToken(db, parts.id); // gone for good, whatever becomes of the clock
      throw new Problem('token_invalid');
    }
    return db.transaction(async (tx) => {
      await lockUser(tx, owner.id);
      const now = clock();
      const userId = await consumeToken(tx, parts, 'verification', now);
      const user = userId === undefined ? undefined : await updateVerified(tx, userId, now);
      if (user === undefined) throw new Problem('token_invalid');
      if (owner.emailVerifiedAt === null) {
        // Whoever came in before the address was proved (confirmation was not asked then) may not be its owner.
        await removeSessionsOf(tx, user.id);
        await removeDevicesOf(tx, user.id);
      }
      await audit.record(
        tx,
        { event: 'user_updated', outcome: 'success', reason: 'email_verified', userId: user.id },
        source,
      );
      return user;
    });
  }
}
