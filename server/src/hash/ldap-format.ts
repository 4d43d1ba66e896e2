import { hash } from 'node:crypto';
import { equalDigests } from '../kit/secret.ts';
import { base64, fromBase64, partsOf, UnreadableHash, type HashFormat } from './stored-hash.ts';

/** Hash function and digest length in bytes, by scheme. A leading S means that a salt follows the digest. */
const schemes = {
  sha: ['sha1', 20],
  sha1: ['sha1', 20],
  sha256: ['sha256', 32],
  sha384: ['sha384', 48],
  sha512: ['sha512', 64],
} as const;

const form = new RegExp(`^\\{(?<salted>S?)(?<scheme>SHA(?:1|256|384|512)?)\\}(?<body>${base64})$`, 'i');
const hex = /^(?:[0-9a-f]{2})+$/i;

/**
 * Verifies `{SSHA}`, `{SSHA256}`, `{SSHA384}`, `{SSHA512}` and the same without salt, as LDAP directories store them
 * (RFC 2307 §5.3; OpenLDAP): base64 of digest and salt. Some programs write the bytes in hex; base64 of a digest is
 * never valid hex. These hashes are fast and therefore weak; the next login replaces them.
 */
export const ldapSha: HashFormat = {
  from: 'LDAP directories, Dovecot',
  looksLike: [
    '{SSHA}…',
    '{SSHA256}…',
    '{SSHA384}…',
    '{SSHA512}…',
    '{SHA}…',
    '{SHA1}…',
    '{SHA256}…',
    '{SHA384}…',
    '{SHA512}…',
  ],
  begins: /^\{S?SHA(?:1|256|384|512)?\}/i,
  read: (text) => {
    const { salted, scheme, body } = partsOf<'salted' | 'scheme' | 'body'>(text, form);
    const [algorithm, length] = schemes[scheme.toLowerCase() as keyof typeof schemes]; // the pattern matches no other scheme
    const bytes = hex.test(body) ? Buffer.from(body, 'hex') : fromBase64(body);
    if (salted === '' ? bytes.length !== length : bytes.length <= length) {
      throw new UnreadableHash(
        `The digest and salt have ${bytes.length} bytes, which does not match the scheme`,
      );
    }
    const [digest, salt] = [bytes.subarray(0, length), bytes.subarray(length)];
    return (password) =>
      equalDigests(hash(algorithm, Buffer.concat([Buffer.from(password), salt]), 'buffer'), digest);
  },
};
