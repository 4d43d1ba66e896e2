// Validates and normalizes email addresses, and decides whether two of them are the same. Every input of an address is
// normalized here before it is counted, compared or stored.
import { asciiDomain } from '../kit/text/domain.ts';
import { maxEmailUnits } from '../kit/text/text-length.ts';
import { fieldProblem } from '../kit/problem.ts';

/** Octets of an address and of its local part (RFC 5321 §4.5.3.1; RFC 3696 erratum 1690). */
const addressOctets = 254;
const localPartOctets = 64;

export interface EmailAddress {
  /** As typed, trimmed and in normal form C. */
  readonly text: string;
  /** Normal form, equal for all spellings of one address. Plus tags and dots stay: only the mail server interprets them. */
  readonly key: string;
}

/**
 * White space, control characters, other characters that show as nothing (they would make a sentence of a local part),
 * and characters that begin a list, a display name, a comment, a quoted local part or a literal, or look like an @:
 * each has delivered a mail to a second recipient (CVE-2022-35924, CVE-2025-13033).
 */
const forbidden = /[\s\p{C}\p{Default_Ignorable_Code_Point}\u2800"(),:;<>[\]\\\uFE6B\uFF20]/u;

/**
 * Decides whether an account may have an address. It depends on the address only, so that the answer does not reveal
 * whether an account has it.
 * @throws {Problem} invalid_request for the field `email`, with a reason for the user, if the address is not allowed.
 */
export type AddressRule = (address: EmailAddress) => Promise<void>;

/** Returns an address with its normal form; `undefined` if it is malformed. */
export function toEmailAddress(input: unknown): EmailAddress | undefined {
  if (typeof input !== 'string' || !input.isWellFormed()) return undefined;
  const typed = trimInvisible(input);
  if (typed.length > maxEmailUnits) return undefined;
  const text = typed.normalize('NFC');
  if (Buffer.byteLength(text) > addressOctets || forbidden.test(text)) return undefined;
  const at = text.indexOf('@');
  if (at < 1 || at !== text.lastIndexOf('@')) return undefined;
  const local = normalLocalPart(text.slice(0, at));
  const domain = asciiDomain(text.slice(at + 1));
  if (local === undefined || domain === undefined) return undefined;
  const key = `${local}@${domain}`;
  // A domain is longer in ASCII, the form that mail servers use.
  return Buffer.byteLength(key) > addressOctets ? undefined : { text, key };
}

/**
 * Returns an address with its normal form.
 * @throws {Problem} invalid_request for the field `email` if the address is malformed.
 */
export function requireEmailAddress(input: unknown): EmailAddress {
  const address = toEmailAddress(input);
  if (address === undefined) throw fieldProblem('email', 'is not a valid email address', 'no_email');
  return address;
}

/** Returns the normal form of a stored address. */
export function keyOfAddress(text: string): string {
  return toEmailAddress(text)?.key ?? text;
}

/** Returns whether both texts are addresses with the same normal form. */
export function isSameAddress(a: string, b: string): boolean {
  const first = toEmailAddress(a);
  return first !== undefined && first.key === toEmailAddress(b)?.key;
}

/** White space, and what programs put around a copied address: zero-width characters and marks of direction. */
const invisible = /[\s\u200B\u200E\u200F\u202A-\u202C\u2060\u2066-\u2069]/u;

/** Removes what shows as nothing at both ends. */
function trimInvisible(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && invisible.test(text.charAt(start))) start += 1;
  while (end > start && invisible.test(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function normalLocalPart(text: string): string | undefined {
  // A dot-atom has no dot at either end and no two dots in a row (RFC 5322 §3.2.3).
  if (text.split('.').includes('')) return undefined;
  const normal = text.toLowerCase().normalize('NFC');
  // Checks both forms: a capital may have fewer octets than its small letter (U+0130), or more (U+1E9E).
  return Math.max(Buffer.byteLength(text), Buffer.byteLength(normal)) > localPartOctets ? undefined : normal;
}
