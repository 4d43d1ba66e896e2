// Hashes behind the name of the method or of an encoding, as frameworks and directories write them.
import { argon2 } from './argon2-format.ts';
import { bcrypt } from './bcrypt-format.ts';
import { ldapSha } from './ldap-format.ts';
import { dovecotPbkdf2 } from './pbkdf2-format.ts';
import { partsOf, readIn, type HashFormat } from './stored-hash.ts';

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

/** Verifies Spring Security's `{ldap}{SSHA}…`. */
export const springLdap: HashFormat = {
  from: 'Spring Security',
  looksLike: ['{ldap}{SSHA}…'],
  begins: /^\{ldap\}/i,
  read: (text) => readIn([ldapSha], text.slice('{ldap}'.length)),
};

const encodedForm = /^\{(?<scheme>[\w-]+)\.(?<encoding>hex|b64|base64)\}(?<body>[A-Za-z0-9+/]+={0,2})$/i;

/**
 * Verifies hashes whose scheme names the encoding, as Dovecot writes them on demand: `{SSHA256.HEX}` of the bytes of
 * digest and salt, `{BLF-CRYPT.B64}` of the text of the hash.
 */
export const dovecotEncoded: HashFormat = {
  from: 'Dovecot',
  looksLike: ['{SSHA512.HEX}…', '{SHA256.B64}…', '{BLF-CRYPT.B64}…'],
  begins: /^\{[\w-]+\.(?:hex|b64|base64)\}/i,
  read: (text) => {
    const { scheme, encoding, body } = partsOf<'scheme' | 'encoding' | 'body'>(text, encodedForm);
    const bytes = Buffer.from(body, encoding.toLowerCase() === 'hex' ? 'hex' : 'base64');
    const plain = bytes.toString(ldapSha.begins.test(`{${scheme}}`) ? 'base64' : 'utf8');
    return readIn([schemePrefixed, dovecotPbkdf2, ldapSha], `{${scheme}}${plain}`);
  },
};
