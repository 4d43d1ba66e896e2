// Creates and compares the secrets of clients. A secret is `bvs_`, 256 random bits in base62 and a checksum, so that
// scanners of source code recognize one without asking the service. The service stores its SHA-256 only: a slow hash is
// unnecessary for a random secret.
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { digest, equalDigests } from '../../../kit/secret.ts';

const prefix = 'bvs_';
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const secretBytes = 32;
/** Base62 characters of 32 bytes, and of a CRC-32. */
const [secretCharacters, checksumCharacters] = [43, 6];
const form = new RegExp(`^${prefix}[0-9A-Za-z]{${secretCharacters + checksumCharacters}}$`);
/** Longer texts are refused before they are hashed. */
const maxCharacters = 1024;

/** A new secret for the operator, and its digest for the database. */
export interface ClientSecret {
  readonly secret: string;
  /** SHA-256 of the secret. */
  readonly hash: Uint8Array;
}

/** Creates a secret. */
export function createClientSecret(): ClientSecret {
  const random = BigInt(`0x${randomBytes(secretBytes).toString('hex')}`);
  const body = `${prefix}${base62(random, secretCharacters)}`;
  const secret = `${body}${checksum(body)}`;
  return { secret, hash: digestOfSecret(secret) };
}

/** Returns the SHA-256 of a secret, as it is stored. */
export function digestOfSecret(text: string): Uint8Array {
  return digest(text);
}

/** Returns whether a text has the form of a secret that this service created, with a correct checksum. */
export function hasSecretForm(text: string): boolean {
  const end = prefix.length + secretCharacters;
  return form.test(text) && text.slice(end) === checksum(text.slice(0, end));
}

/** Returns whether a text is one of the secrets with these digests. Its time does not depend on which one (CWE-208). */
export function isSecret(hashes: readonly Uint8Array[], text: string): boolean {
  if (text.length > maxCharacters) return false;
  const given = digestOfSecret(text);
  return hashes.map((hash) => equalDigests(hash, given)).includes(true);
}

function checksum(text: string): string {
  return base62(BigInt(crc32(text)), checksumCharacters);
}

function base62(value: bigint, length: number): string {
  let [text, rest] = ['', value];
  const base = BigInt(digits.length);
  while (text.length < length) {
    text = `${digits[Number(rest % base)]}${text}`;
    rest /= base;
  }
  return text;
}
