// Creates and parses short codes, which a user reads in a mail and types elsewhere. A code is too short to be a secret by
// itself: store a keyed digest, limit the attempts and let it expire after minutes.
import { randomInt } from 'node:crypto';
import { normalizeCode } from './typed-code.ts';

/** Digits and capitals without easily confused characters: 0 O, 1 I L, U V. */
const alphabet = '23456789ABCDEFGHJKMNPQRSTVWXYZ';
const length = 8;
const groupLength = 4;
const form = new RegExp(`^[${alphabet}]{${length}}$`);

/** Returns a new code of 39 random bits, formatted for display: `K7QM-2NXP`. */
export function createShortCode(): string {
  const characters = Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
  return `${characters.slice(0, groupLength)}-${characters.slice(groupLength)}`;
}

/** Normalizes a code that a user typed, in any case and spelling (typed-code.ts); `undefined` if it is malformed. */
export function parseShortCode(input: unknown): string | undefined {
  if (typeof input !== 'string' || input.length > 4 * length) return undefined;
  const characters = normalizeCode(input).toUpperCase();
  return form.test(characters) ? characters : undefined;
}
