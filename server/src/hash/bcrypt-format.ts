// Verifies bcrypt hashes.
import { createHmac, hash } from 'node:crypto';
import { wordPressSpellings } from './phpass-format.ts';
import { bounded, partsOf, type HashFormat } from './stored-hash.ts';

/** Bounds of the cost, log2 of the rounds. 15 takes 1.5 seconds of a core; 10 to 14 are in common use. */
const costs = [4, 15] as const;

/** bcrypt reads 72 bytes and stops at a NUL. Without a check it would accept any characters after that. */
const readBytes = 72;

/** Does not match `$2x$`, which marks hashes of a broken implementation that correct ones cannot reproduce. */
const form =
  /^\$2[aby]\$(?<cost>\d\d)\$(?<salt>[./A-Za-z0-9]{21})(?<last>[./A-Za-z0-9])(?<digest>[./A-Za-z0-9]{31})$/;

/** The alphabet of bcrypt. Only the two upper bits of the last character of a salt are used. */
const alphabet = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const unusedBits = 0b1111;

/** Verifies bcrypt: `$2a$`, `$2b$` and PHP's `$2y$`, which are the same algorithm today. */
export const bcrypt: HashFormat = {
  from: 'PHP, Laravel, Rails, Node.js, Auth0, Supabase, Clerk',
  looksLike: ['$2a$…', '$2b$…', '$2y$…'],
  begins: /^\$2[abxy]?\$/,
  read: (text) => {
    const { cost, salt, last, digest } = partsOf<'cost' | 'salt' | 'last' | 'digest'>(text, form);
    bounded(cost, 'bcrypt cost', costs);
    // Some programs write salts whose unused bits are set. The library rejects them; every crypt(3) ignores the bits.
    const clean = alphabet[alphabet.indexOf(last) & ~unusedBits] ?? last;
    const stored = `$2b$${cost}$${salt}${clean}${digest}`;
    return async (password) => {
      if (Buffer.byteLength(password) > readBytes || password.includes('\0')) return false;
      const { verifySync } = await import('@node-rs/bcrypt');
      return verifySync(password, stored);
    };
  },
};

/** Verifies bcrypt of what `prepare` makes of the password; `prefix` precedes the bcrypt hash. */
function preparedBcrypt(
  prefix: string,
  prepare: (password: string) => string,
  shown: Omit<HashFormat, 'read'>,
): HashFormat {
  return {
    ...shown,
    read: (text) => {
      const check = bcrypt.read(text.slice(prefix.length));
      return (password) => check(prepare(password));
    },
  };
}

/** Verifies Django's `bcrypt_sha256$$2b$…`: bcrypt of the SHA-256 of the password in hex. */
export const djangoBcryptSha256 = preparedBcrypt('bcrypt_sha256$', (password) => hash('sha256', password), {
  from: 'Django',
  looksLike: ['bcrypt_sha256$$2b$…'],
  begins: /^bcrypt_sha256\$/,
});

/** Verifies the `$wp$2y$…` of WordPress 6.8: bcrypt of the HMAC-SHA-384 of the password in base64. */
export const wordPressBcrypt = preparedBcrypt(
  '$wp',
  (password) => createHmac('sha384', 'wp-sha384').update(password).digest('base64'),
  { from: 'WordPress since 6.8', looksLike: ['$wp$2y$…'], begins: /^\$wp\$2/, spellings: wordPressSpellings },
);
