// Bearer secrets: how they are made, taken apart and compared. A token is `<uuid>.<kind>_<secret>`: the uuid is the
// row's public handle, the kind says what the token may be used for, and of the part behind the dot only the SHA-256
// is ever stored (OWASP ASVS 5.0 §7.2.3, §11.5.1). A plain digest is enough because the secret has 256 random bits.
import { createHash, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { generateUuid } from './id.ts';

/** Kinds of bearer secret. The prefix is part of what is digested, so a secret of one kind is never one of another. */
export const secretKinds = {
  session: 'ses',
  pending_login: 'pnd',
  device: 'dev',
  request: 'req',
  reset: 'rst',
  verification: 'vrf',
  sign_in: 'sgn',
  email_change: 'chg',
  email_undo: 'und',
  deletion_undo: 'del',
  factor_undo: 'fac',
} as const;
export type SecretKind = keyof typeof secretKinds;

/** What a token's row is found by, and what proves the holder. */
export interface TokenParts {
  /** Primary key of the row: a UUID. */
  readonly id: string;
  /** SHA-256 of the part behind the dot: 32 bytes. */
  readonly secretHash: Uint8Array;
}

/** A new token: the text for its holder, and the parts for the store. */
export interface NewToken extends TokenParts {
  readonly token: string;
}

/** Bytes of a secret: 256 bits from the system's generator. */
const secretBytes = 32;
/** base64url of 32 bytes without padding. */
const secretPattern = '[A-Za-z0-9_-]{43}';
const uuidPattern = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
const tokenPatterns = Object.fromEntries(
  Object.entries(secretKinds).map(([kind, prefix]) => [
    kind,
    new RegExp(`^${uuidPattern}\\.${prefix}_${secretPattern}$`),
  ]),
) as Record<SecretKind, RegExp>; // fromEntries forgets the keys that it was given

/** Characters of a uuid. */
const uuidLength = 36;

/** SHA-256 of a text's UTF-8 bytes. */
export function digest(text: string): Uint8Array {
  return hash('sha256', text, 'buffer');
}

/** Makes a token of the given kind. */
export function createToken(kind: SecretKind): NewToken {
  const id = generateUuid();
  const secret = `${secretKinds[kind]}_${randomBytes(secretBytes).toString('base64url')}`;
  return { id, token: `${id}.${secret}`, secretHash: digest(secret) };
}

/** True for a text that has the form of a token of that kind. Costs no digest, unlike taking it apart. */
export function isWellFormed(kind: SecretKind, token: string): boolean {
  return tokenPatterns[kind].test(token);
}

/** Takes a token apart; `undefined` for anything that is not a well-formed token of that kind. */
export function parseToken(kind: SecretKind, token: unknown): TokenParts | undefined {
  if (typeof token !== 'string' || !isWellFormed(kind, token)) return undefined;
  return { id: token.slice(0, uuidLength), secretHash: digest(token.slice(uuidLength + 1)) };
}

/**
 * Parts of a text that the caller of the library chose as session id or reset token (`updateUser(1, { sessionId })`).
 * A well-formed token keeps its own parts; any other text gets a handle derived from its digest, so that it is found
 * by the same primary key. The HTTP service accepts well-formed tokens only.
 */
export function partsOfChosenText(kind: SecretKind, text: string): TokenParts {
  const parts = parseToken(kind, text);
  if (parts !== undefined) return parts;
  const secretHash = digest(text);
  const hex = createHash('sha256').update(`${kind}:${text}`).digest('hex');
  const id = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20, 32),
  ].join('-');
  return { id, secretHash };
}

/** Compares two digests in constant time (CWE-208). */
export function equalDigests(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
