// Short codes: what a person reads in a mail and types elsewhere. Too short to be a secret by itself: whoever stores one
// stores a keyed digest, bounds the tries and lets it live for minutes.
import { randomInt } from 'node:crypto';

/** Digits and capitals without those that look like another: 0 O, 1 I L, U V. */
const alphabet = '23456789ABCDEFGHJKMNPQRSTVWXYZ';
const length = 8;
const groupLength = 4;
const separators = /[\s\-\u2010-\u2015]/g;
const form = new RegExp(`^[${alphabet}]{${length}}$`);

/** A new code of 39 random bits, as a person reads it: `K7QM-2NXP`. */
export function createShortCode(): string {
  const characters = Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
  return `${characters.slice(0, groupLength)}-${characters.slice(groupLength)}`;
}

/** The code in what a person typed, in one spelling: any case, with or without spaces and dashes; `undefined` if there is none. */
export function parseShortCode(input: unknown): string | undefined {
  if (typeof input !== 'string' || input.length > 4 * length) return undefined;
  const characters = input.replaceAll(separators, '').toUpperCase();
  return form.test(characters) ? characters : undefined;
}
