// Verifies the hashes of phpass, as WordPress and phpBB stored them.
import { hash } from 'node:crypto';
import { equalDigests } from '../kit/secret.ts';
import { bounded, partsOf, type HashFormat } from './stored-hash.ts';

/**
 * Bounds of log2 of the MD5 rounds. phpass allows 7 to 30; WordPress uses 13. 18 takes a third of a second of a core for
 * each spelling of a password.
 */
const roundLogs = [7, 18] as const;

/** The alphabet of phpass. It encodes six bits at a time, in little-endian order. */
const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const form = /^\$[PH]\$(?<log>[./0-9A-Za-z])(?<salt>[./0-9A-Za-z]{8})(?<digest>[./0-9A-Za-z]{22})$/;

function encode(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const group = bytes.subarray(i, i + 3);
    const value = (group[0] ?? 0) | ((group[1] ?? 0) << 8) | ((group[2] ?? 0) << 16);
    for (let bits = 0; bits < group.length * 8; bits += 6) text += alphabet[(value >> bits) & 0x3f];
  }
  return text;
}

/** White space that PHP's `trim` removes. */
const phpSpace = /^[ \t\n\r\0\v]+|[ \t\n\r\0\v]+$/g;

/**
 * WordPress puts a backslash before quotes and backslashes of its forms (`wp_magic_quotes`) and hashes the password with
 * them, without white space around it (https://core.trac.wordpress.org/ticket/13655). Its command line and interfaces
 * set passwords without the backslashes.
 */
export function wordPressSpellings(password: string): readonly string[] {
  const slashed = password.replace(/['"\\]/g, String.raw`\$&`).replaceAll('\0', String.raw`\0`);
  return [slashed, password].map((spelling) => spelling.replace(phpSpace, ''));
}

const htmlEntities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

/** phpBB escapes what it reads from a form for HTML, also passwords (`type_cast_helper`), and hashes the result. */
function phpBbSpelling(password: string): string {
  return password.replace(/[&<>"]/g, (character) => htmlEntities[character] ?? character);
}

/** Verifies `$P$` and phpBB's `$H$`, the portable hashes of phpass (iterated MD5), which WordPress used before 6.8. */
export const phpass: HashFormat = {
  from: 'WordPress until 6.7, phpBB',
  looksLike: ['$P$…', '$H$…'],
  begins: /^\$[PH]\$/,
  // The products write the same prefixes.
  spellings: (password) => [password, ...wordPressSpellings(password), phpBbSpelling(password)],
  read: (text) => {
    const { log, salt, digest } = partsOf<'log' | 'salt' | 'digest'>(text, form);
    const rounds = 2 ** bounded(String(alphabet.indexOf(log)), 'phpass log2 of rounds', roundLogs);
    return (password) => {
      const bytes = Buffer.from(password);
      let made = hash('md5', Buffer.concat([Buffer.from(salt), bytes]), 'buffer');
      for (let i = 0; i < rounds; i += 1) made = hash('md5', Buffer.concat([made, bytes]), 'buffer');
      return equalDigests(Buffer.from(encode(made)), Buffer.from(digest));
    };
  },
};
