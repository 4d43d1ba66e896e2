// The formats of stored hashes that are verified: ours, and those of the services that people move from. A foreign one
// is replaced by ours at the next login.
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
 * The check of a stored hash.
 * @throws {UnreadableHash} for an unknown format, a damaged hash, and costs beyond what is run.
 */
export function readHash(text: string): Check {
  const format = formats.find(({ begins }) => begins.test(text));
  if (format === undefined) throw new UnreadableHash('The hash format is unknown');
  return format.read(text);
}

/** True for a hash that can be verified: what an importer asks before it stores one. */
export function isKnownHash(text: string): boolean {
  try {
    readHash(text);
    return true;
  } catch (error) {
    if (error instanceof UnreadableHash) return false;
    throw error;
  }
}
