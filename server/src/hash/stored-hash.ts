// Declares formats of stored hashes and parses their parts. A hash from another product is untrusted text: its cost is
// checked before it is computed, so that one row cannot occupy a thread or exhaust the memory. The bounds allow about two
// seconds of a core for each comparison. A password in form D is compared twice, and a login must end in six seconds: a
// hash that takes longer is never upgraded, because each login with the right password would be too late as well.

/** Returns whether a password matches the hash; compares in constant time. Blocks the thread while it computes. */
export type Check = (password: string) => boolean | Promise<boolean>;

/** Result of the comparison of a password with a stored hash. */
export interface PasswordMatch {
  readonly matches: boolean;
  /** The hash has another algorithm, a lower cost or no normal form of the password: hash the password again. */
  readonly outdated: boolean;
  /**
   * Why the stored hash cannot be verified. The user can never sign in with it, so callers log it. It contains no part of
   * the hash or the password.
   */
  readonly unreadable?: string;
}

/** A format of stored hashes. */
export interface HashFormat {
  /** Products that write it, for the reference. */
  readonly from: string;
  /** What its hashes look like, for the reference. */
  readonly looksLike: readonly string[];
  /** Matches the beginning of its hashes, and of no other format's. */
  readonly begins: RegExp;
  /**
   * What its products make of a typed password before they hash it, the most probable first; the password itself if
   * absent. The hash matches if it matches one of them.
   */
  readonly spellings?: (password: string) => readonly string[];
  /**
   * Parses a hash and checks its cost, without computing it.
   * @throws {UnreadableHash} if the hash is malformed or its cost is out of bounds.
   */
  readonly read: (text: string) => Check;
}

/** A stored hash cannot be verified. The message says why, without quoting the hash. */
export class UnreadableHash extends Error {
  override readonly name = 'UnreadableHash';
}

/**
 * Minimum length of a digest, that of MD5. Shorter ones match by chance: every 256th password matches a digest of one
 * byte.
 */
const minDigestBytes = 16;
const maxDigestBytes = 128;

/** Maximum length of a hash. The longest in use are those of Firebase with 350 characters. */
const maxHashUnits = 1024;

/**
 * Parses a stored hash in the first of these formats that it begins like. White space around it is ignored: exports
 * leave a line break behind a hash. The empty password matches no hash.
 * @throws {UnreadableHash} if it begins like none, is malformed or too long, or its cost is out of bounds.
 */
export function readIn(formats: readonly HashFormat[], stored: string): Check {
  const text = stored.trim();
  if (text.length > maxHashUnits)
    throw new UnreadableHash(`The hash has ${text.length} characters; the maximum is ${maxHashUnits}`);
  if (text.includes('\0') || !text.isWellFormed())
    throw new UnreadableHash('The hash contains characters that cannot be stored');
  const format = formats.find(({ begins }) => begins.test(text));
  if (format === undefined) throw new UnreadableHash('The hash format is unknown');
  const check = format.read(text);
  const spellings = format.spellings ?? ((password) => [password]);
  return async (password) => {
    for (const spelling of new Set(spellings(password))) {
      if (!isEmpty(spelling) && (await check(spelling))) return true;
    }
    return false;
  };
}

/**
 * Returns whether a password is empty, or the same as the empty one: HMAC, and with it PBKDF2 and scrypt, ignores NULs at
 * the end of a key. No user of this service has an empty password, but a hash of it can be imported.
 */
function isEmpty(password: string): boolean {
  return password.replaceAll('\0', '') === '';
}

/** The error for a hash that begins like one of a format, but has not the form that this format reads. */
export function malformedHash(): UnreadableHash {
  return new UnreadableHash(
    'The hash has a known prefix but is malformed, or of a variant that is not supported',
  );
}

/** The named groups of a pattern: those that always match, and those that may not. */
export type Parts<Always extends string, Maybe extends string = never> = Readonly<Record<Always, string>> & {
  readonly [Name in Maybe]: string | undefined;
};

/**
 * Matches a hash against the pattern of its format and returns the groups.
 * @throws {UnreadableHash} if it does not match.
 */
export function partsOf<Always extends string, Maybe extends string = never>(
  text: string,
  form: RegExp,
): Parts<Always, Maybe> {
  const groups = form.exec(text)?.groups;
  if (groups === undefined) throw malformedHash();
  return groups as Parts<Always, Maybe>; // the caller names the groups of its pattern
}

/**
 * Parses a whole number of a hash and checks its bounds.
 * @throws {UnreadableHash} if it is out of bounds.
 */
export function bounded(text: string, what: string, [min, max]: readonly [number, number]): number {
  const number = Number(text);
  if (number >= min && number <= max) return number;
  throw new UnreadableHash(`The ${what} is ${text.slice(0, 20)}; it must be ${min} to ${max}`);
}

/**
 * Checks the length of a digest and returns it.
 * @throws {UnreadableHash} if it is so short that it could match by chance, or too long.
 */
export function digestOf(bytes: Buffer): Buffer {
  if (bytes.length >= minDigestBytes && bytes.length <= maxDigestBytes) return bytes;
  throw new UnreadableHash(
    `The digest has ${bytes.length} bytes; it must have ${minDigestBytes} to ${maxDigestBytes}`,
  );
}

/** Pattern of base64 in three alphabets: RFC 4648 §4 and §5, and passlib's, which has a dot for the plus. */
export const base64 = '[A-Za-z0-9+/._-]+={0,2}';

/** Decodes base64 in any of the three alphabets, padded or not. */
export function fromBase64(text: string): Buffer {
  return Buffer.from(text.replaceAll('.', '+'), 'base64'); // Node decodes both alphabets of RFC 4648
}
