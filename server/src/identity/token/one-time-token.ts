// Issues and redeems one-time tokens. A mail carries a link with the token, which works in any browser, and a short
// code, which works only in the initiating browser. The kind is part of the token and of its row; only digests are
// stored; a newer token of a kind replaces the older one.
import { minuteMs } from '../../kit/clock.ts';
import { Problem } from '../../kit/problem.ts';
import { createToken, digest, equalDigests, parseToken, type TokenParts } from '../../kit/secret.ts';
import { createShortCode, parseShortCode } from '../../kit/short-code.ts';
import type { Database } from '../../db/database.ts';
import type { Proof as MailedToken } from '../../mail/mail-kind.ts';
import { isSameAddress, toEmailAddress, type EmailAddress } from '../../user/email-address.ts';
import { findUserByEmail, findUserById } from '../../user/store.ts';
import { noUserId, type User } from '../../user/user.ts';
import type { Attempts } from '../attempt/attempts.ts';
import type { AuthContext, ClientSource, CodeSigner } from '../context.ts';
import type { Purgeable, Revocable } from '../contribution.ts';
import { tokenEvents } from './event.ts';
import { tokenLink, type TokenKind } from './kinds.ts';
import {
  beginCodeAttempt,
  consumeToken,
  findPendingToken,
  findToken,
  listPendingTokens,
  removeExpiredTokens,
  removePendingTokensOf,
  removeToken,
  replaceToken,
} from './store.ts';
import './problem.ts';

/** Life of a code. Short, because the user who requested it is waiting (NIST SP 800-63B-4 §3.1.3.1). */
const codeMinutes = 10;

export interface NewToken {
  readonly kind: TokenKind;
  /** Life of the token, if it is not that of the kind. */
  readonly minutes?: number;
  /** The address that the token confirms or restores. */
  readonly target?: string;
  /** Unix milliseconds; now by default. An undo covers what was added since. */
  readonly madeAt?: number;
}

/** A token that can be redeemed, and its user. */
export interface LiveToken extends TokenParts {
  readonly kind: TokenKind;
  readonly user: User;
  /** Unix milliseconds. */
  readonly madeAt: number;
  readonly target: string | null;
  /** True if the request comes from the initiating browser. */
  readonly isInitiatingBrowser: boolean;
}

/** Claims that must match the token: the address of its account, or the user who redeems it in a session. */
export interface Claim {
  readonly email?: EmailAddress | undefined;
  readonly userId?: number;
}

/** Signs codes for a program without keys: with plain digests. */
export const unkeyedCodes: CodeSigner = {
  sign: (text) => Buffer.from(digest(text)).toString('base64url'),
  check: (text, mac) => equalDigests(digest(text), Buffer.from(mac, 'base64url')),
};

export class OneTimeTokens implements Revocable, Purgeable {
  readonly name = 'one-time tokens';
  /** As a `Revocable`. */
  readonly kind = 'token';
  /** The kinds of all modules. Read at each call, because modules add to them before the first request. */
  readonly kinds: readonly TokenKind[];
  readonly #context: AuthContext;
  readonly #attempts: Attempts;

  constructor(
    context: AuthContext,
    { attempts, kinds }: { attempts: Attempts; kinds: readonly TokenKind[] },
  ) {
    this.#context = context;
    this.#attempts = attempts;
    this.kinds = kinds;
  }

  /**
   * Issues a token and replaces the user's previous one of this kind. Constant work: without a user it stores nothing.
   * Inside a transaction.
   */
  async issue(
    tx: Database,
    user: User | undefined,
    { kind, target, minutes = kind.minutes, madeAt }: NewToken,
    { requestToken, returnTo }: Pick<ClientSource, 'requestToken' | 'returnTo'> = {},
  ): Promise<MailedToken & { token: string }> {
    // Otherwise a new password would revoke the token although its kind survives that.
    if (!this.kinds.includes(kind)) throw new Error(`No module has declared the token kind ${kind.kind}`);
    const { clock, codes, publicUrl } = this.#context;
    const { id, secretHash, token } = createToken(kind);
    const code = createShortCode();
    const now = clock();
    const hasCode = requestToken !== undefined;
    await replaceToken(tx, {
      id,
      secretHash,
      userId: user?.id ?? noUserId,
      kind: kind.kind,
      now: madeAt ?? now,
      expiresAt: now + minutes * minuteMs,
      ...(target !== undefined && { target }),
      ...(hasCode && {
        codeMac: codes.sign(codeText(kind, requestToken, parseShortCode(code) ?? '')),
        codeExpiresAt: now + codeMinutes * minuteMs,
        requestMac: codes.sign(requestText(kind, requestToken)),
      }),
    });
    const link = tokenLink(publicUrl, kind, { email: user?.email ?? '', token, returnTo });
    return { token, link, minutes, codeMinutes, code: hasCode ? code : undefined };
  }

  /**
   * Finds the live token that was presented: as a token, or as a code in the initiating browser. Call it before costly
   * work. It consumes nothing: only `consume` decides.
   * @throws {Problem} token_invalid for a token that is unknown, consumed, expired, of another kind or another user's.
   * @throws {Problem} too_many_attempts for too many codes.
   */
  async find(kind: TokenKind, presented: unknown, claim: Claim, source: ClientSource): Promise<LiveToken> {
    const parts = parseToken(kind, presented);
    if (parts !== undefined) return this.#findByToken(kind, parts, claim, source);
    const code = parseShortCode(presented);
    const { requestToken } = source;
    if (code === undefined || requestToken === undefined) throw new Problem('token_invalid');
    return this.#findByCode(kind, codeText(kind, requestToken, code), claim, source);
  }

  /**
   * Consumes the token, once and atomically. Inside the transaction of what it permits, which has locked the user.
   * @throws {Problem} token_invalid if it was consumed or revoked or has expired since `find`.
   */
  async consume(tx: Database, { id, secretHash, kind, user }: LiveToken): Promise<void> {
    const userId = await consumeToken(tx, { id, secretHash }, kind.kind, this.#context.clock());
    if (userId !== user.id) throw new Problem('token_invalid');
    await this.#attempts.forget(tx, userId, 'email_code');
  }

  /** Returns true if the request comes from the initiating browser of the user's live token of the kind. */
  async isInitiatingBrowser(
    db: Database,
    userId: number,
    kind: TokenKind,
    source: ClientSource,
  ): Promise<boolean> {
    const token = await findPendingToken(db, userId, kind.kind, this.#context.clock());
    return token !== undefined && this.#isInitiatingBrowser(kind, token.request_mac, source);
  }

  /**
   * Rejects a user whose address was changed and can still be restored.
   * @throws {Problem} change_pending.
   */
  async requireSettledAddress(db: Database, userId: number): Promise<void> {
    const now = this.#context.clock();
    for (const { kind } of this.kinds.filter(({ restoresAddress }) => restoresAddress))
      if ((await findPendingToken(db, userId, kind, now)) !== undefined) throw new Problem('change_pending');
  }

  /**
   * Returns the instant since which a mailbox can undo changes of the account: when its earliest live token that undoes a
   * takeover was issued, `madeAt` at the latest. The mailbox has all of these tokens, so the undo by one
   * of them also ends what the others could end.
   */
  async undoableSince(
    db: Database,
    { user, target, madeAt }: Pick<LiveToken, 'user' | 'target' | 'madeAt'>,
  ): Promise<number> {
    const undoing = new Set(this.#undoing.map(({ kind }) => kind));
    const live = (await listPendingTokens(db, user.id, this.#context.clock())).filter(
      (token) => undoing.has(token.kind) && isSameAddress(token.target ?? '', target ?? ''),
    );
    return Math.min(madeAt, ...live.map(({ created_at }) => created_at));
  }

  /** Kinds that undo a takeover. */
  get #undoing(): readonly TokenKind[] {
    return this.kinds.filter(({ survivesPasswordChange }) => survivesPasswordChange);
  }

  /**
   * Revokes the user's pending tokens, except those of kinds that survive a new password. Consumed ones stay, to notice
   * their reuse. Inside a transaction.
   */
  async revokeAll(tx: Database, userId: number): Promise<void> {
    await removePendingTokensOf(
      tx,
      userId,
      this.#undoing.map(({ kind }) => kind),
    );
  }

  /** Removes up to `limit` expired tokens and returns how many. */
  purge(limit: number): Promise<number> {
    return removeExpiredTokens(this.#context.db, this.#context.clock(), limit);
  }

  #isInitiatingBrowser(kind: TokenKind, mac: string | null, { requestToken }: ClientSource): boolean {
    if (mac === null || requestToken === undefined) return false;
    return this.#context.codes.check(requestText(kind, requestToken), mac);
  }

  async #findByToken(
    kind: TokenKind,
    parts: TokenParts,
    { email, userId }: Claim,
    source: ClientSource,
  ): Promise<LiveToken> {
    const { db, clock } = this.#context;
    const token = await findToken(db, parts, kind.kind);
    if (token === undefined) throw new Problem('token_invalid');
    const user = await findUserById(db, token.user_id);
    const isReuse = token.spent_at !== null;
    const isExpired = token.expires_at <= clock();
    const isTheirs =
      user !== undefined &&
      (email === undefined || email.key === toEmailAddress(user.email)?.key) &&
      (userId === undefined || userId === user.id);
    if (!isReuse && !isExpired && isTheirs)
      return {
        ...parts,
        kind,
        user,
        madeAt: token.created_at,
        target: token.target,
        isInitiatingBrowser: this.#isInitiatingBrowser(kind, token.request_mac, source),
      };
    await db.transaction(async (tx) => {
      // Removed for good, even if the clock is set back. A consumed token stays, to notice its reuse.
      if (isExpired && !isReuse) await removeToken(tx, parts.id);
      await this.#recordRefusal(tx, kind, { isReuse, userId: token.user_id }, source);
    });
    throw new Problem('token_invalid');
  }

  async #findByCode(
    kind: TokenKind,
    text: string,
    { email, userId }: Claim,
    source: ClientSource,
  ): Promise<LiveToken> {
    const { db, clock, codes } = this.#context;
    const user =
      userId === undefined ? email && (await findUserByEmail(db, email)) : await findUserById(db, userId);
    const subject = { userId: user?.id, emailKey: email?.key ?? '', deviceId: undefined };
    const attempt = await this.#attempts.begin(subject, 'email_code');
    const tried = await beginCodeAttempt(db, user?.id ?? noUserId, kind.kind, clock());
    if (user === undefined || tried === undefined || !codes.check(text, tried.code_mac ?? '')) {
      await db.transaction((tx) =>
        this.#recordRefusal(tx, kind, { isReuse: false, userId: user?.id }, source),
      );
      throw new Problem('token_invalid');
    }
    await this.#attempts.succeed(db, attempt);
    const { id, secret_hash: secretHash, created_at: madeAt, target } = tried;
    return { id, secretHash, kind, user, madeAt, target, isInitiatingBrowser: true };
  }

  #recordRefusal(
    tx: Database,
    kind: TokenKind,
    { isReuse, userId }: { isReuse: boolean; userId: number | undefined },
    source: ClientSource,
  ): Promise<void> {
    return this.#context.events.emit(tx, isReuse ? tokenEvents.token_reused : kind.refusalEvent, {
      user: userId === undefined ? undefined : { id: userId },
      facts: { kind: kind.kind },
      source,
    });
  }
}

/** Returns the text of a code's MAC, which includes the kind and the initiating browser. */
function codeText({ kind }: TokenKind, requestToken: string, code: string): string {
  return `${kind}:${requestToken}:${code}`;
}

/** Returns the text of the MAC of the initiating browser. */
function requestText({ kind }: TokenKind, requestToken: string): string {
  return `${kind}:${requestToken}`;
}
