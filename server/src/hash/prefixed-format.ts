// Hashes of argon2 and bcrypt behind the name of the method, as frameworks and directories write them.
import { argon2 } from './argon2-format.ts';
import { bcrypt } from './bcrypt-format.ts';
import { readIn, type HashFormat } from './stored-hash.ts';

/** Formats that a name may precede. */
const inner = [argon2, bcrypt];

/** Verifies Django's `argon2$argon2id$…` and `bcrypt$$2b$…`: the name of the hasher and a dollar sign, then the hash. */
export const djangoPrefixed: HashFormat = {
  from: 'Django',
  looksLike: ['argon2$argon2id$…', 'bcrypt$$2b$…'],
  begins: /^(?:argon2(?=\$argon2)|bcrypt\$)/,
  read: (text) => readIn(inner, text.replace(/^(?:argon2|bcrypt\$)/, '')),
};

/** Verifies hashes behind a scheme in braces (RFC 2307 §5.3), in capital or small letters. */
export const schemePrefixed: HashFormat = {
  from: 'Spring Security, Dovecot, OpenLDAP',
  looksLike: [
    '{bcrypt}$2a$…',
    '{argon2}$argon2id$…',
    '{argon2@SpringSecurity_v5_8}$argon2id$…',
    '{BLF-CRYPT}$2y$…',
    '{ARGON2I}$argon2i$…',
    '{ARGON2ID}$argon2id$…',
    '{CRYPT}$2y$…',
    '{ARGON2}$argon2id$…',
  ],
  begins: /^\{(?:bcrypt|blf-crypt|crypt|argon2(?:i|d|id)?)(?:@\w+)?\}/i,
  read: (text) => readIn(inner, text.slice(text.indexOf('}') + 1)),
};
