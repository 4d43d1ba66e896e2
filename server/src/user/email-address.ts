// When two e-mail addresses are one, and what is no address at all. Canonicalise before you count, compare or store:
// every door that takes an address takes it through here.
import { domainToASCII } from 'node:url';
import { fieldProblem } from '../kit/problem.ts';

/** Octets of an address and of its local part (RFC 5321 §4.5.3.1; RFC 3696 erratum 1690). */
const addressOctets = 254;
const localPartOctets = 64;

export interface EmailAddress {
  /** As typed, trimmed and in normal form C. */
  readonly text: string;
  /** Normal form: equal for two spellings of one address. Plus tags and dots stay, they belong to the mail server. */
  readonly key: string;
}

/**
 * White space and control characters, and what begins a list, a display name, a comment, a quoted local part, a
 * literal or a full-width @: each has carried a mail to a second recipient somewhere (CVE-2022-35924, CVE-2025-13033).
 */
const forbidden = /[\s\p{C}"(),:;<>[\]\\\uFE6B\uFF20]/u;
const domainCharacters = /^[\p{L}\p{M}\p{N}.\-。．｡]+$/u;
const domainLabel = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;

/**
 * Decides whether an account may have an address. Looks at the address alone, so that the answer does not depend on
 * whether an account has it.
 * @throws {Problem} invalid_request, naming `email`, with a reason for the user.
 */
export type AddressRule = (address: EmailAddress) => Promise<void>;

/** The address and its normal form; `undefined` for what is no address. */
export function toEmailAddress(input: unknown): EmailAddress | undefined {
  if (typeof input !== 'string' || !input.isWellFormed()) return undefined;
  const text = input.trim().normalize('NFC');
  if (Buffer.byteLength(text) > addressOctets || forbidden.test(text)) return undefined;
  const at = text.indexOf('@');
  if (at < 1 || at !== text.lastIndexOf('@')) return undefined;
  const local = normalLocalPart(text.slice(0, at));
  const domain = normalDomain(text.slice(at + 1));
  if (local === undefined || domain === undefined) return undefined;
  const key = `${local}@${domain}`;
  // A domain grows when it is written in ASCII; mail goes to that form.
  return Buffer.byteLength(key) > addressOctets ? undefined : { text, key };
}

/**
 * The address and its normal form.
 * @throws {Problem} invalid_request, naming `email`.
 */
export function requireEmailAddress(input: unknown): EmailAddress {
  const address = toEmailAddress(input);
  if (address === undefined) throw fieldProblem('email', 'is not a valid email address', 'no_email');
  return address;
}

/** True if both are addresses with the same normal form. */
export function isSameAddress(a: string, b: string): boolean {
  const first = toEmailAddress(a);
  return first !== undefined && first.key === toEmailAddress(b)?.key;
}

function normalLocalPart(text: string): string | undefined {
  // A dot at either end, or two in a row, is no dot-atom (RFC 5322 §3.2.3).
  if (text.split('.').includes('')) return undefined;
  const normal = text.toLowerCase().normalize('NFC');
  // Both forms fit: a capital may have fewer octets than its small letter (U+0130), or more (U+1E9E).
  return Math.max(Buffer.byteLength(text), Buffer.byteLength(normal)) > localPartOctets ? undefined : normal;
}

function normalDomain(text: string): string | undefined {
  // domainToASCII is a URL host parser: it would take `%41` for an A and `0x7f.1` for 127.0.0.1.
  if (!domainCharacters.test(text)) return undefined;
  const ascii = domainToASCII(text);
  const labels = ascii.split('.');
  if (labels.some((label) => !domainLabel.test(label))) return undefined;
  const isNumber = /^\d+$/.test(labels.at(-1) ?? '');
  return isNumber ? undefined : ascii;
}
