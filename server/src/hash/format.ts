// Lists the formats of stored hashes that can be verified: the one of this service, and those of other products from
// which accounts are imported. The next login replaces a hash in another format.
import { argon2 } from './argon2-format.ts';
import { bcrypt } from './bcrypt-format.ts';
import { ldapSha } from './ldap-format.ts';
import { djangoPbkdf2, phcPbkdf2, werkzeugPbkdf2 } from './pbkdf2-format.ts';
import { phpass } from './phpass-format.ts';
import { firebaseScrypt, phcScrypt, werkzeugScrypt } from './scrypt-format.ts';
import { UnreadableHash, type Check, type HashFormat } from './stored-hash.ts';

const formats: readonly HashFormat[] = [
  argon2,
  bcrypt,
  phcScrypt,
  werkzeugScrypt,
  firebaseScrypt,
  djangoPbkdf2,
  werkzeugPbkdf2,
  phcPbkdf2,
  ldapSha,
  phpass,
];

/**
 * Parses a stored hash and returns the function that checks a password against it.
 * @throws {UnreadableHash} if the format is unknown, the hash is malformed, or its cost is out of bounds.
 */
export function readHash(text: string): Check {
  const format = formats.find(({ begins }) => begins.test(text));
  if (format === undefined) throw new UnreadableHash('The hash format is unknown');
  return format.read(text);
}

/** Returns whether a hash can be verified. Importers check this before they store a hash. */
export function isKnownHash(text: string): boolean {
  try {
    readHash(text);
    return true;
  } catch (error) {
    if (error instanceof UnreadableHash) return false;
    throw error;
  }
}
