// What a format of stored hashes is, and the readers of their parts. A hash made elsewhere is text that somebody
// imported: its costs are bounded before anything is run, so that no row can take a thread or the memory for itself.

/** Tells whether a password is the one of the hash, comparing in constant time. Blocks the thread while it works. */
export type Check = (password: string) => boolean | Promise<boolean>;

/** One family of hashes. */
export interface HashFormat {
  /** What its hashes begin with. */
  readonly begins: RegExp;
  /**
   * Takes a hash apart and checks its bounds; costs nothing.
   * @throws {UnreadableHash}
   */
  readonly read: (text: string) => Check;
}

/** A stored hash cannot be verified at all; the message says why, without the hash. */
export class UnreadableHash extends Error {
  override readonly name = 'UnreadableHash';
}

/**
 * Digests below this are refused: of a digest of one byte, every 256th password would be the right one. The shortest in
 * use is MD5's.
 */
const minDigestBytes = 16;
const maxDigestBytes = 128;

/** The named groups of a form: those that always match, and those that may not. */
export type Parts<Always extends string, Maybe extends string = never> = Readonly<Record<Always, string>> & {
  readonly [Name in Maybe]: string | undefined;
};

/**
 * Matches the hash against the whole form of its format and returns the groups.
 * @throws {UnreadableHash}
 */
export function partsOf<Always extends string, Maybe extends string = never>(
  text: string,
  form: RegExp,
): Parts<Always, Maybe> {
  const groups = form.exec(text)?.groups;
  if (groups === undefined) throw new UnreadableHash('The hash has a known prefix but is malformed');
  return groups as Parts<Always, Maybe>; // the caller names the groups that it wrote into the form
}

/**
 * A whole number of a hash within bounds.
 * @throws {UnreadableHash}
 */
export function bounded(text: string, what: string, [least, most]: readonly [number, number]): number {
  const number = Number(text);
  if (number >= least && number <= most) return number;
  throw new UnreadableHash(`The ${what} is ${text.slice(0, 20)}; it must be ${least} to ${most}`);
}

/**
 * The digest of a hash.
 * @throws {UnreadableHash} when it is so short that chance would match it, or absurdly long.
 */
export function digestOf(bytes: Buffer): Buffer {
  if (bytes.length >= minDigestBytes && bytes.length <= maxDigestBytes) return bytes;
  throw new UnreadableHash(
    `The digest has ${bytes.length} bytes; it must have ${minDigestBytes} to ${maxDigestBytes}`,
  );
}

/** Characters of base64 in its three alphabets: RFC 4648 §4, §5, and passlib's with a dot for the plus. */
export const base64 = '[A-Za-z0-9+/._-]+={0,2}';

/** Bytes of base64 in any of the three alphabets, padded or not. */
export function fromBase64(text: string): Buffer {
  return Buffer.from(text.replaceAll('.', '+'), 'base64'); // Node takes both alphabets of RFC 4648
}
