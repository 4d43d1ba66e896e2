import { bounded, partsOf, type HashFormat } from './stored-hash.ts';

/** Logarithm of the rounds. 16 takes three seconds of a core; 10 to 14 are in use. */
const costs = [4, 16] as const;

/** bcrypt reads 72 bytes and stops at a NUL; what lies behind them would be accepted unread. */
const readBytes = 72;

/** `$2x$` stays outside: it marks hashes of a broken implementation, which the repaired ones do not reproduce. */
const form =
  /^\$2[aby]\$(?<cost>\d\d)\$(?<salt>[./A-Za-z0-9]{21})(?<last>[./A-Za-z0-9])(?<digest>[./A-Za-z0-9]{31})$/;

/** bcrypt's alphabet. Of a salt's last character only the two upper bits count. */
const alphabet = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const unusedBits = 0b1111;

/** bcrypt: `$2a$`, `$2b$` and PHP's `$2y$`, which are one today. */
export const bcrypt: HashFormat = {
  begins: /^\$2[abxy]?\$/,
  read: (text) => {
    const { cost, salt, last, digest } = partsOf<'cost' | 'salt' | 'last' | 'digest'>(text, form);
    bounded(cost, 'bcrypt cost', costs);
    // Some programs wrote salts whose unused bits are set; the library refuses those, every crypt(3) ignores them.
    const clean = alphabet[alphabet.indexOf(last) & ~unusedBits] ?? last;
    const stored = `$2b$${cost}$${salt}${clean}${digest}`;
    return async (password) => {
      if (Buffer.byteLength(password) > readBytes || password.includes('\0')) return false;
      const { verifySync } = await import('@node-rs/bcrypt');
      return verifySync(password, stored);
    };
  },
};
