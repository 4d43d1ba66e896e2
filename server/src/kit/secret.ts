// Bearer secrets: creates, parses and compares them. A token is `<uuid>.<prefix>_<secret>`: the uuid is the public
// handle of the row, the prefix says what the token may be used for, and only the SHA-256 of the part behind the dot
// is ever stored (OWASP ASVS 5.0 §7.2.3, §11.5.1). A plain digest is enough because the secret has 256 random bits.
import { createHash, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { generateUuid } from './id.ts';

/**
 * A kind of bearer secret, declared beside the rule that issues it. The prefix is part of what is hashed: a secret of one
 * kind is never accepted as one of another.
 */
export interface SecretKind {
  /** Name in the database and in records: snake_case. */
  readonly kind: string;
  /** Three lower-case letters that no other kind has. */
  readonly prefix: string;
}

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
/** The form of a token, by its prefix. A kind is used at every request, so its pattern is compiled once. */
const tokenPatterns = new Map<string, RegExp>();

function patternOf({ prefix }: SecretKind): RegExp {
  let pattern = tokenPatterns.get(prefix);
  if (pattern === undefined) {
    pattern = new RegExp(`^${uuidPattern}\\.${prefix}_${secretPattern}$`);
    tokenPatterns.set(prefix, pattern);
  }
  return pattern;
}

/** Characters of a uuid. */
const uuidLength = 36;

/** SHA-256 of a text's UTF-8 bytes. */
export function digest(text: string): Uint8Array {
  return hash('sha256', text, 'buffer');
}

/** Creates a token of the given kind. */
export function createToken({ prefix }: SecretKind): NewToken {
  const id = generateUuid();
  const secret = `${prefix}_${randomBytes(secretBytes).toString('base64url')}`;
  return { id, token: `${id}.${secret}`, secretHash: digest(secret) };
}

/** True if the text has the form of a token of that kind. Computes no digest, unlike `parseToken`. */
export function isWellFormed(kind: SecretKind, token: string): boolean {
  return patternOf(kind).test(token);
}

/** The parts of a token; `undefined` for anything that is not a well-formed token of that kind. */
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
  const hex = createHash('sha256').update(`${kind.kind}:${text}`).digest('hex');
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
