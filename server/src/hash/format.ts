// Lists the formats of stored hashes that can be verified: the one of this service, and those of other products from
// which accounts are imported. The next login replaces a hash in another format.
import { argon2 } from './argon2-format.ts';
import { bcrypt, djangoBcryptSha256, wordPressBcrypt } from './bcrypt-format.ts';
import { ldapSha } from './ldap-format.ts';
import {
  aspNetIdentity,
  djangoPbkdf2,
  dovecotPbkdf2,
  phcPbkdf2,
  springPbkdf2,
  werkzeugPbkdf2,
} from './pbkdf2-format.ts';
import { phpass } from './phpass-format.ts';
import { djangoPrefixed, dovecotEncoded, schemePrefixed, springLdap } from './prefixed-format.ts';
import {
  betterAuthScrypt,
  djangoScrypt,
  firebaseScrypt,
  phcScrypt,
  springScrypt,
  werkzeugScrypt,
} from './scrypt-format.ts';
import { readIn, UnreadableHash, type Check, type HashFormat } from './stored-hash.ts';

/** All formats, in the order of the reference. A hash begins like one of them only. */
export const hashFormats: readonly HashFormat[] = [
  argon2,
  bcrypt,
  schemePrefixed,
  djangoPrefixed,
  djangoBcryptSha256,
  djangoPbkdf2,
  djangoScrypt,
  springPbkdf2,
  springScrypt,
  wordPressBcrypt,
  phpass,
  werkzeugPbkdf2,
  werkzeugScrypt,
  phcPbkdf2,
  phcScrypt,
  aspNetIdentity,
  betterAuthScrypt,
  firebaseScrypt,
  ldapSha,
  springLdap,
  dovecotPbkdf2,
  dovecotEncoded,
];

/**
 * Parses a stored hash and returns the function that checks a password against it.
 * @throws {UnreadableHash} if the format is unknown, the hash is malformed, or its cost is out of bounds.
 */
export function readHash(text: string): Check {
  return readIn(hashFormats, text);
}

/**
 * Returns whether a hash can be verified. Importers check this before they store a hash. Anything else than text, such as
 * the null of a user without a password, is no hash.
 */
export function isKnownHash(hash: unknown): boolean {
  try {
    if (typeof hash !== 'string') return false;
    readHash(hash);
    return true;
  } catch (error) {
    if (error instanceof UnreadableHash) return false;
    throw error;
  }
}
