// Issues and redeems one-time tokens. A mail carries a link with the token, which works in any browser, and a short
// code, which works only in the initiating browser. The kind is part of the token and of its row; only digests are
// stored. Up to three tokens of a kind are live side by side, so that the request of a stranger does not revoke the link
// of the owner; consuming one revokes the others.
import { Problem } from '../../kit/problem.ts';
import { digest, equalDigests, parseToken, type TokenParts } from '../../kit/secret.ts';
import { parseShortCode } from '../../kit/text/short-code.ts';
import type { Database } from '../../db/database.ts';
import { isSameAddress, keyOfAddress, toEmailAddress, type EmailAddress } from '../../user/email-address.ts';
import { findUserByEmail, findUserById } from '../../user/store.ts';
import { noUserId, type User } from '../../user/user.ts';
import type { Attempts } from '../attempt/attempts.ts';
import type { AuthContext, ClientSource, CodeSigner } from '../context.ts';
import type { Purgeable, Revocable } from '../contribution.ts';
import type { LetterFacts, TokenGrant } from '../event.ts';
import { tokenEvents } from './event.ts';
import {
  codeText,
  issueToken,
  maxLive,
  type Initiator,
  type IssuedToken,
  type NewToken,
  type TokenIssue,
} from './issue.ts';
import type { TokenKind } from './kinds.ts';
import {
  beginCodeAttempt,
  consumeToken,
  findToken,
  isLiveToken,
  keepTokens,
  hasPendingToken,
  listPendingTokens,
  removeExpiredTokens,
  removePendingTokensOf,
  removeTokens,
} from './store.ts';
import './problem.ts';

/** A token that can be redeemed, and its user. */
export interface LiveToken extends TokenParts {
  readonly kind: TokenKind;
  readonly user: User;
  /** Unix milliseconds. */
  readonly madeAt: number;
  readonly target: string | null;
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
   * Issues a token. If three of its kind are live, it replaces the one that expires first: a token of a page, which lives
   * for minutes, must not revoke the link of a mail. With `replacesAll` it replaces all of them. Inside a transaction
   * that has locked the user.
   */
  async issue(
    tx: Database,
    user: User,
    token: NewToken,
    source: Initiator = {},
    { replacesAll = false }: { readonly replacesAll?: boolean } = {},
  ): Promise<IssuedToken> {
    return this.#issue(tx, user, { ...token, maxOthers: replacesAll ? 0 : maxLive - 1 }, source);
  }

  /**
   * Issues the token of a requested mail, and removes the tokens of mails that it replaces. If three of the kind are
   * live, it replaces the one that expires first, or issues none if the grant does not allow that: a stranger cannot
   * revoke the link of the owner. Constant work: without a user it stores nothing. Inside a transaction that has locked
   * the user.
   */
  async issueRequested(
    tx: Database,
    user: User | undefined,
    token: NewToken,
    source: Initiator,
    { mayReplaceToken, ...grant }: TokenGrant,
  ): Promise<LetterFacts<Omit<IssuedToken, 'tokenId'>>> {
    const maxOthers = mayReplaceToken ? maxLive - 1 : maxLive;
    const { tokenId, ...facts } = await this.#issue(tx, user, { ...token, ...grant, maxOthers }, source);
    return { facts, tokenId };
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
   * Consumes the token, once and atomically, and revokes the others of its kind. Inside the transaction of what it
   * permits, which has locked the user.
   * @throws {Problem} token_invalid if it was consumed or revoked or has expired since `find`.
   */
  async consume(tx: Database, { id, secretHash, kind, user, target }: LiveToken): Promise<void> {
    const userId = await consumeToken(tx, { id, secretHash }, kind.kind, this.#context.clock());
    if (userId !== user.id) throw new Problem('token_invalid');
    await keepTokens(tx, userId, kind.kind, [id]);
    // The mail went to the target, if there is one: the token proves nothing about the address that it replaces.
    const emailKey = keyOfAddress(target ?? user.email);
    for (const holder of [{ emailKey }, { userId }]) await this.#attempts.forget(tx, holder, 'email_code');
  }

  /**
   * Rejects a user whose address was changed and can still be restored.
   * @throws {Problem} change_pending.
   */
  async requireSettledAddress(db: Database, userId: number): Promise<void> {
    const now = this.#context.clock();
    for (const { kind } of this.kinds.filter(({ restoresAddress }) => restoresAddress))
      if (await hasPendingToken(db, userId, kind, now)) throw new Problem('change_pending');
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

  /** Returns the address that the newest token of the kind which can still be consumed is for. */
  async targetOfLive(db: Database, userId: number, { kind }: TokenKind): Promise<string | undefined> {
    const live = await listPendingTokens(db, userId, this.#context.clock());
    return live.findLast((token) => token.kind === kind)?.target ?? undefined;
  }

  /** Returns whether the user has a token of the kind that can still be consumed. */
  hasLive(db: Database, { id }: User, { kind }: TokenKind): Promise<boolean> {
    return hasPendingToken(db, id, kind, this.#context.clock());
  }

  /** Returns whether a token can still be consumed. */
  isLive(id: string): Promise<boolean> {
    return isLiveToken(this.#context.db, id, this.#context.clock());
  }

  /** Removes up to `limit` expired tokens and returns how many. */
  purge(limit: number): Promise<number> {
    return removeExpiredTokens(this.#context.db, this.#context.clock(), limit);
  }

  #issue(tx: Database, user: User | undefined, token: TokenIssue, source: Initiator): Promise<IssuedToken> {
    // Otherwise a new password would revoke the token although its kind survives that.
    if (!this.kinds.includes(token.kind))
      throw new Error(`No module has declared the token kind ${token.kind.kind}`);
    return issueToken(this.#context, tx, user, token, source);
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
      };
    await db.transaction(async (tx) => {
      // Removed for good, even if the clock is set back. A consumed token stays, to notice its reuse.
      if (isExpired && !isReuse) await removeTokens(tx, [parts.id]);
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
    const holder = email === undefined ? { userId: user?.id ?? noUserId } : { emailKey: email.key };
    // In one transaction, which writes for every address: only an account with a live code counts the attempt there too,
    // and repeated refusals are collected, so the rest alone would wait for the disk or not (account enumeration).
    const live = await db.transaction(async (tx): Promise<LiveToken | undefined> => {
      const attempt = await this.#attempts.begin(holder, 'email_code', tx);
      const codesOfKind = await beginCodeAttempt(tx, user?.id ?? noUserId, kind.kind, clock());
      const tried = codesOfKind.find(({ code_mac: mac }) => codes.check(text, mac ?? ''));
      if (user === undefined || tried === undefined) {
        await this.#recordRefusal(tx, kind, { isReuse: false, userId: user?.id }, source);
        return undefined;
      }
      await this.#attempts.succeed(tx, attempt);
      const { id, secret_hash: secretHash, created_at: madeAt, target } = tried;
      return { id, secretHash, kind, user, madeAt, target };
    });
    if (live === undefined) throw new Problem('token_invalid');
    return live;
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
