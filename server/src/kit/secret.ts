// Creates, parses and compares bearer tokens. A token is `<uuid>.<prefix>_<secret>`: the UUID is the public handle of
// the row, the prefix names the purpose of the token, and only the SHA-256 of the part after the dot is stored (OWASP
// ASVS 5.0 §7.2.3, §11.5.1). A plain digest is enough because the secret has 256 random bits.
import { createHash, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { generateUuid } from './id.ts';

/**
 * A kind of bearer token, declared in the module that issues it. The prefix is part of the hashed text, so a token of one
 * kind is never accepted as another kind.
 */
export interface SecretKind {
  /** Name in the database and in the audit log: snake_case. */
  readonly kind: string;
  /** Three lower-case letters, unique among the kinds. */
  readonly prefix: string;
}

/** The parts of a token: the key of its row, and the digest that proves possession of the token. */
export interface TokenParts {
  /** Primary key of the row: a UUID. */
  readonly id: string;
  /** SHA-256 of the part after the dot: 32 bytes. */
  readonly secretHash: Uint8Array;
}

/** A new token: the text for the client, and the parts for the database. */
export interface NewToken extends TokenParts {
  readonly token: string;
}

/** Bytes of a secret: 256 bits from the random generator of the system. */
const secretBytes = 32;
/** base64url of 32 bytes without padding. */
const secretPattern = '[A-Za-z0-9_-]{43}';
const uuidPattern = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
/** Pattern of a token by its prefix, compiled once because every request uses it. */
const tokenPatterns = new Map<string, RegExp>();

function patternOf({ prefix }: SecretKind): RegExp {
  let pattern = tokenPatterns.get(prefix);
  if (pattern === undefined) {
    pattern = new RegExp(`^${uuidPattern}\\.${prefix}_${secretPattern}$`);
    tokenPatterns.set(prefix, pattern);
  }
  return pattern;
}

/** Characters of a UUID. */
const uuidLength = 36;

/** Returns the SHA-256 of the UTF-8 bytes of a text. */
export function digest(text: string): Uint8Array {
  return hash('sha256', text, 'buffer');
}

/** Creates a token of the given kind. */
export function createToken({ prefix }: SecretKind): NewToken {
  const id = generateUuid();
  const secret = `${prefix}_${randomBytes(secretBytes).toString('base64url')}`;
  return { id, token: `${id}.${secret}`, secretHash: digest(secret) };
}

/** Returns whether a text has the form of a token of the kind. Computes no digest, unlike `parseToken`. */
export function isWellFormed(kind: SecretKind, token: string): boolean {
  return patternOf(kind).test(token);
}

const anyToken = new RegExp(`^${uuidPattern}\\.[a-z]{3}_${secretPattern}$`);

/** Returns whether a text has the form of a token of any kind. */
export function hasTokenForm(text: string): boolean {
  return anyToken.test(text);
}

/** Returns the parts of a token; `undefined` if the value is not a well-formed token of the kind. */
export function parseToken(kind: SecretKind, token: unknown): TokenParts | undefined {
  if (typeof token !== 'string' || !isWellFormed(kind, token)) return undefined;
  return { id: token.slice(0, uuidLength), secretHash: digest(token.slice(uuidLength + 1)) };
}

/**
 * Returns the parts of a text that a caller of the library chose as session id or reset token
 * (`updateUser(1, { sessionId })`). A well-formed token keeps its own parts. Any other text gets a handle derived from
 * its digest, so that the same primary key finds it. The HTTP service accepts well-formed tokens only.
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
