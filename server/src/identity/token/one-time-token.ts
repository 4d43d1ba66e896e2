// One-time proofs: made for a mail, redeemed by the token of its link anywhere, or by its short code where it was asked
// for. What a proof is for is part of the token and of its row; only digests are stored; a newer one voids the older.
import { minuteMs } from '../../kit/clock.ts';
import { Problem } from '../../kit/problem.ts';
import { createToken, digest, equalDigests, parseToken, type TokenParts } from '../../kit/secret.ts';
import { createShortCode, parseShortCode } from '../../kit/short-code.ts';
import type { Database } from '../../db/database.ts';
import type { AuditDeed, AuditSource } from '../../audit/event.ts';
import type { Proof } from '../../mail/text.ts';
import { isSameAddress, toEmailAddress } from '../../user/email-address.ts';
import { findUserByEmail, findUserById } from '../../user/store.ts';
import { noUserId, type User } from '../../user/user.ts';
import type { Attempts } from '../attempt/attempts.ts';
import { idOf, type AuthContext, type ClientSource, type CodeSigner } from '../context.ts';
import {
  beginCodeAttempt,
  consumeToken,
  findPendingToken,
  findToken,
  removeToken,
  replaceToken,
} from './store.ts';
import './problem.ts';

/** What a proof may be spent on. */
export type ProofKind =
  | 'reset'
  | 'verification'
  | 'sign_in'
  | 'email_change'
  | 'email_undo'
  | 'deletion_undo'
  | 'factor_undo';

/** Where a person redeems a proof: the page that the link in the mail opens. Opening it changes nothing. */
export const proofPages = {
  verification: '/confirm',
  reset: '/reset',
  sign_in: '/sign-in/link',
  email_change: '/account/email',
  email_undo: '/account/email/undo',
  deletion_undo: '/account/delete/undo',
  factor_undo: '/account/factors/undo',
} as const satisfies Record<ProofKind, string>;

/** Proofs that are redeemed with the account's address, to which they are mailed. */
const namesAccount: ReadonlySet<ProofKind> = new Set(['verification', 'reset', 'sign_in']);

/** What is recorded of a proof that is refused. */
const refusals = {
  reset: 'authn_password_change_fail',
  verification: 'user_updated',
  sign_in: 'authn_login_fail',
  email_change: 'user_updated',
  email_undo: 'user_updated',
  deletion_undo: 'user_updated',
  factor_undo: 'user_updated',
} as const satisfies Record<ProofKind, AuditDeed['event']>;

/** Life of a code: whoever asked is waiting for it (NIST SP 800-63B-4 §3.1.3.1). */
const codeMinutes = 10;

export interface NewProof {
  readonly kind: ProofKind;
  readonly minutes: number;
  /** The address that is proved or restored. */
  readonly target?: string;
}

/** A proof that can be redeemed, and whose it is. */
export interface LiveProof extends TokenParts {
  readonly kind: ProofKind;
  readonly user: User;
  /** Unix milliseconds. */
  readonly madeAt: number;
  readonly target: string | null;
  /** It comes from the browser that asked for the mail. */
  readonly isInitiatingBrowser: boolean;
}

/** What the redeemer says beside the proof: it must fit. */
export interface Claim {
  readonly email?: string | undefined;
  readonly userId?: number;
}

/** Codes of a program without keys: plain digests. */
export const unkeyedCodes: CodeSigner = {
  sign: (text) => Buffer.from(digest(text)).toString('base64url'),
  check: (text, mac) => equalDigests(digest(text), Buffer.from(mac, 'base64url')),
};

export class OneTimeTokens {
  readonly #context: AuthContext;
  readonly #attempts: Attempts;

  constructor(context: AuthContext, attempts: Attempts) {
    this.#context = context;
    this.#attempts = attempts;
  }

  /** Makes a proof in the place of the older one; for nobody it does as much and writes nothing. Inside a transaction. */
  async issue(
    tx: Database,
    user: User | undefined,
    { kind, minutes, target }: NewProof,
    { requestToken, returnTo }: Pick<ClientSource, 'requestToken' | 'returnTo'> = {},
  ): Promise<Proof & { token: string }> {
    const { clock, codes, post } = this.#context;
    const { id, secretHash, token } = createToken(kind);
    const code = createShortCode();
    const now = clock();
    const hasCode = requestToken !== undefined;
    await replaceToken(tx, {
      id,
      secretHash,
      userId: user?.id ?? noUserId,
      kind,
      now,
      expiresAt: now + minutes * minuteMs,
      ...(target !== undefined && { target }),
      ...(hasCode && {
        codeMac: codes.sign(codeText(kind, requestToken, parseShortCode(code) ?? '')),
        codeExpiresAt: now + codeMinutes * minuteMs,
        requestMac: codes.sign(requestText(kind, requestToken)),
      }),
    });
    // A link to another address than the account's names no account: a mistyped one is a stranger's.
    const query = new URLSearchParams({
      ...(namesAccount.has(kind) && { email: user?.email ?? '' }),
      token,
      ...(returnTo !== undefined && { return_to: returnTo }),
    });
    const link = `${post?.publicUrl ?? ''}${proofPages[kind]}?${query.toString()}`;
    return { token, link, minutes, codeMinutes, code: hasCode ? code : undefined };
  }

  /**
   * What a token proves, or a code together with the request that asked for it. A look before any work: nothing is
   * spent, and only `consume` decides.
   * @throws {Problem} token_invalid for one that is unknown, spent, expired, of another kind or somebody else's.
   * @throws {Problem} too_many_attempts for too many codes.
   */
  async find(kind: ProofKind, presented: unknown, claim: Claim, source: ClientSource): Promise<LiveProof> {
    const parts = parseToken(kind, presented);
    if (parts !== undefined) return this.#findByToken(kind, parts, claim, source);
    const code = parseShortCode(presented);
    const { requestToken } = source;
    if (code === undefined || requestToken === undefined) throw new Problem('token_invalid');
    return this.#findByCode(kind, codeText(kind, requestToken, code), claim, source);
  }

  /**
   * Spends the proof, once and atomically. Inside the transaction of what it opens, which has locked the user.
   * @throws {Problem} token_invalid when it was spent, voided or expired meanwhile.
   */
  async consume(tx: Database, { id, secretHash, kind, user }: LiveProof): Promise<void> {
    const userId = await consumeToken(tx, { id, secretHash }, kind, this.#context.clock());
    if (userId !== user.id) throw new Problem('token_invalid');
    await this.#attempts.forget(tx, userId, 'email_code');
  }

  /** True if the request is of the browser that asked for the user's live proof of the kind. */
  async isInitiatingBrowser(
    db: Database,
    userId: number,
    kind: ProofKind,
    source: ClientSource,
  ): Promise<boolean> {
    const token = await findPendingToken(db, userId, kind, this.#context.clock());
    return token !== undefined && this.#isInitiatingBrowser(kind, token.request_mac, source);
  }

  #isInitiatingBrowser(kind: ProofKind, mac: string | null, { requestToken }: ClientSource): boolean {
    if (mac === null || requestToken === undefined) return false;
    return this.#context.codes.check(requestText(kind, requestToken), mac);
  }

  async #findByToken(
    kind: ProofKind,
    parts: TokenParts,
    { email, userId }: Claim,
    source: ClientSource,
  ): Promise<LiveProof> {
    const { db, clock } = this.#context;
    const token = await findToken(db, parts, kind);
    if (token === undefined) throw new Problem('token_invalid');
    const user = await findUserById(db, token.user_id);
    const isReuse = token.spent_at !== null;
    const isExpired = token.expires_at <= clock();
    const isTheirs =
      user !== undefined &&
      (email === undefined || isSameAddress(email, user.email)) &&
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
      // Gone for good, whatever becomes of the clock. A spent one stays, so that its reuse is noticed.
      if (isExpired && !isReuse) await removeToken(tx, parts.id);
      await this.#recordRefusal(tx, kind, { isReuse, userId: token.user_id }, source);
    });
    throw new Problem('token_invalid');
  }

  async #findByCode(
    kind: ProofKind,
    text: string,
    { email, userId }: Claim,
    source: AuditSource,
  ): Promise<LiveProof> {
    const { db, clock, codes } = this.#context;
    const address = toEmailAddress(email);
    const user =
      userId === undefined ? address && (await findUserByEmail(db, address)) : await findUserById(db, userId);
    const subject = { userId: user?.id, emailKey: address?.key ?? '', deviceId: undefined };
    const attempt = await this.#attempts.begin(subject, 'email_code');
    const tried = await beginCodeAttempt(db, user?.id ?? noUserId, kind, clock());
    if (user === undefined || tried === undefined || !codes.check(text, tried.code_mac ?? '')) {
      await db.transaction((tx) => this.#recordRefusal(tx, kind, { isReuse: false, ...idOf(user) }, source));
      throw new Problem('token_invalid');
    }
    await this.#attempts.succeed(db, attempt);
    const { id, secret_hash: secretHash, created_at: madeAt, target } = tried;
    return { id, secretHash, kind, user, madeAt, target, isInitiatingBrowser: true };
  }

  #recordRefusal(
    tx: Database,
    kind: ProofKind,
    { isReuse, userId }: { isReuse: boolean; userId?: number },
    source: AuditSource,
  ): Promise<void> {
    const deed: AuditDeed = isReuse
      ? { event: 'authn_token_reuse', outcome: 'failure', reason: kind }
      : { event: refusals[kind], outcome: 'failure', reason: 'token_invalid' };
    return this.#context.audit.record(tx, { ...deed, ...(userId !== undefined && { userId }) }, source);
  }
}

/** What a code's digest is of: its purpose and the request that asked for it are part of it. */
function codeText(kind: ProofKind, requestToken: string, code: string): string {
  return `${kind}:${requestToken}:${code}`;
}

/** What the digest of the request that asked is of. */
function requestText(kind: ProofKind, requestToken: string): string {
  return `${kind}:${requestToken}`;
}
