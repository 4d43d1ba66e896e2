// Issues one-time tokens: decides which other tokens of the kind stay live, and stores the digests.
import { minuteMs } from '../../kit/clock.ts';
import { createToken } from '../../kit/secret.ts';
import { createShortCode, parseShortCode } from '../../kit/text/short-code.ts';
import type { Database } from '../../db/database.ts';
import type { Proof as MailedToken } from '../../mail/mail-kind.ts';
import { noUserId, type User } from '../../user/user.ts';
import type { AuthContext, ClientSource } from '../context.ts';
import { tokenLink, type TokenKind } from './kinds.ts';
import { addToken, keepTokens, listTokensOfKind, removeTokens } from './store.ts';

/** Life of a code. Short, because the user who requested it is waiting (NIST SP 800-63B-4 §3.1.3.1). */
const codeMinutes = 10;
/** Live tokens of a kind and user. */
export const maxLive = 3;

export interface NewToken {
  readonly kind: TokenKind;
  /** Life of the token, if it is not that of the kind. */
  readonly minutes?: number;
  /** The address that the token confirms or restores. */
  readonly target?: string;
  /** Unix milliseconds; now by default. An undo covers what was added since. */
  readonly madeAt?: number;
}

/** What the browser of a request adds to a token. */
export type Initiator = Pick<ClientSource, 'requestToken' | 'returnTo'>;

/** A token to issue. */
export interface TokenIssue extends NewToken {
  /** How many other live tokens of the kind stay; with `maxLive` none is issued if as many are live. */
  readonly maxOthers: number;
  /** When the mail is sent, in Unix milliseconds: now, if absent. The life of the token and of its code begins then. */
  readonly dueAt?: number | undefined;
  /** Tokens to remove: of mails that were not sent. */
  readonly replacedTokens?: readonly string[];
}

export interface IssuedToken extends MailedToken {
  readonly token: string;
  /** `undefined` if none was stored. */
  readonly tokenId: string | undefined;
}

/**
 * Issues a token. Constant work: without a user it stores nothing. Inside a transaction that has locked the user.
 */
export async function issueToken(
  { clock, codes, publicUrl }: Pick<AuthContext, 'clock' | 'codes' | 'publicUrl'>,
  tx: Database,
  user: User | undefined,
  { kind, target, minutes = kind.minutes, madeAt, maxOthers, dueAt, replacedTokens = [] }: TokenIssue,
  { requestToken, returnTo }: Initiator,
): Promise<IssuedToken> {
  const now = clock();
  const startsAt = dueAt ?? now;
  const rows = await listTokensOfKind(tx, user?.id ?? noUserId, kind.kind);
  // Of another account, if it requested a mail to the same address.
  await removeTokens(tx, replacedTokens);
  const unspent = rows.filter(({ spent_at: spentAt }) => spentAt === null);
  const live = unspent.filter((row) => row.expires_at > now && !replacedTokens.includes(row.id));
  const isFull = maxOthers === maxLive && live.length >= maxLive;
  const userId = isFull ? noUserId : (user?.id ?? noUserId);
  const lastToExpire = live.toSorted((one, other) => other.expires_at - one.expires_at);
  const kept = lastToExpire.slice(0, maxOthers).map((row) => row.id);
  await keepTokens(tx, userId, kind.kind, kept);
  const { id, secretHash, token } = createToken(kind);
  const code = createShortCode();
  const hasCode = requestToken !== undefined;
  await addToken(tx, {
    id,
    secretHash,
    userId,
    kind: kind.kind,
    now: madeAt ?? now,
    expiresAt: startsAt + minutes * minuteMs,
    // Requesting more codes gives no more attempts, until a token was consumed.
    codeTries: Math.max(0, ...unspent.map((row) => row.code_tries)),
    ...(target !== undefined && { target }),
    ...(hasCode && {
      codeMac: codes.sign(codeText(kind, requestToken, parseShortCode(code) ?? '')),
      codeExpiresAt: startsAt + codeMinutes * minuteMs,
    }),
  });
  const link = tokenLink(publicUrl, kind, { email: user?.email ?? '', token, returnTo });
  const tokenId = userId === noUserId ? undefined : id;
  return { token, link, minutes, codeMinutes, code: hasCode ? code : undefined, tokenId };
}

/** Returns the text of a code's MAC, which includes the kind and the initiating browser. */
export function codeText({ kind }: TokenKind, requestToken: string, code: string): string {
  return `${kind}:${requestToken}:${code}`;
}
