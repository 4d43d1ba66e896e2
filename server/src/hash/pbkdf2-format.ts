// Verifies PBKDF2 (RFC 8018 §5.2) in the formats of Django, Werkzeug, passlib, Dovecot, Spring and ASP.NET, and as a
// PHC string. Exports with separate parts, such as Keycloak's JSON, are converted to the PHC string.
import { pbkdf2Sync } from 'node:crypto';
import { equalDigests } from '../kit/secret.ts';
import {
  base64,
  bounded,
  digestOf,
  fromBase64,
  malformedHash,
  partsOf,
  UnreadableHash,
  type Check,
  type HashFormat,
} from './stored-hash.ts';

/**
 * Bounds of the iterations by hash function; the highest number takes 1.5 seconds of a core. The highest defaults are 1.2
 * million of SHA-256 (Django), 310,000 of SHA-512 (Authelia) and 185,000 of SHA-1 (Spring).
 */
const iterationBounds: Record<string, readonly [number, number]> = {
  sha1: [1, 10_000_000],
  sha256: [1, 10_000_000],
  sha512: [1, 3_000_000],
};

/** Output bytes of the hash functions: the iterations run once per block of this length. */
const blockBytes: Record<string, number> = { sha1: 20, sha256: 32, sha512: 64 };

interface Pbkdf2 {
  readonly hash: string;
  readonly iterations: string;
  readonly salt: Buffer;
  readonly digest: Buffer;
}

/** @throws {UnreadableHash} if the digest is too short or long, or there are too many iterations. */
function toCheck({ hash, iterations, salt, digest }: Pbkdf2): Check {
  const expected = digestOf(digest);
  const bounds = iterationBounds[hash] ?? [1, 1];
  const count = bounded(iterations, 'number of PBKDF2 iterations', bounds);
  const blocks = Math.ceil(expected.length / (blockBytes[hash] ?? 1));
  bounded(String(count * blocks), 'number of PBKDF2 iterations of all blocks', bounds);
  return (password) => equalDigests(pbkdf2Sync(password, salt, count, expected.length, hash), expected);
}

const djangoForm = new RegExp(
  `^pbkdf2_(?<hash>sha1|sha256)\\$(?<iterations>\\d+)\\$(?<salt>[^$]+)\\$(?<digest>${base64})$`,
);

/** Verifies Django's `pbkdf2_sha256$1000000$<salt>$<base64>`. The salt is plain text. */
export const djangoPbkdf2: HashFormat = {
  from: 'Django',
  looksLike: ['pbkdf2_sha256$…$…$…', 'pbkdf2_sha1$…$…$…'],
  begins: /^pbkdf2_/,
  read: (text) => {
    const { hash, iterations, salt, digest } = partsOf<'hash' | 'iterations' | 'salt' | 'digest'>(
      text,
      djangoForm,
    );
    return toCheck({ hash, iterations, salt: Buffer.from(salt), digest: fromBase64(digest) });
  },
};

const werkzeugForm =
  /^pbkdf2:(?<hash>sha1|sha256|sha512):(?<iterations>\d+)\$(?<salt>[^$]+)\$(?<digest>(?:[0-9a-f]{2})+)$/;

/** Verifies the `pbkdf2:sha256:600000$<salt>$<hex>` of Werkzeug and Flask. The salt is plain text. */
export const werkzeugPbkdf2: HashFormat = {
  from: 'Flask (Werkzeug)',
  looksLike: ['pbkdf2:sha256:…$…$…', 'pbkdf2:sha512:…$…$…', 'pbkdf2:sha1:…$…$…'],
  begins: /^pbkdf2:/,
  read: (text) => {
    const { hash, iterations, salt, digest } = partsOf<'hash' | 'iterations' | 'salt' | 'digest'>(
      text,
      werkzeugForm,
    );
    return toCheck({ hash, iterations, salt: Buffer.from(salt), digest: Buffer.from(digest, 'hex') });
  },
};

const phcForm = new RegExp(
  `^\\$pbkdf2(?:-(?<hash>sha1|sha256|sha512))?\\$(?:i=)?(?<iterations>\\d+)(?:,l=(?<length>\\d+))?\\$(?<salt>${base64})\\$(?<digest>${base64})$`,
);

/**
 * Verifies the PHC string `$pbkdf2-sha256$i=27500,l=64$<salt>$<hash>`, with or without the length `l` in bytes. A
 * Keycloak credential is converted to it from `algorithm`, `hashIterations`, `salt` and `value`. Also verifies
 * passlib's `$pbkdf2-sha256$29000$<salt>$<hash>`, which has a dot for each plus and `$pbkdf2$` for SHA-1.
 */
export const phcPbkdf2: HashFormat = {
  from: 'Keycloak (converted), passlib, Authelia; OpenLDAP (pw-pbkdf2)',
  looksLike: ['$pbkdf2-sha256$i=…,l=…$…$…', '$pbkdf2-sha256$…$…$…', '{PBKDF2-SHA256}…$…$…'],
  begins: /^(?:\$pbkdf2[$-]|\{PBKDF2(?:-SHA\d+)?\}\d{1,19}\$)/i,
  read: (stored) => {
    // OpenLDAP's scheme has the same parts as passlib's string.
    const text = stored.replace(
      /^\{(PBKDF2(?:-SHA\d+)?)\}/i,
      (_, scheme: string) => `$${scheme.toLowerCase()}$`,
    );
    const parts = partsOf<'iterations' | 'salt' | 'digest', 'hash' | 'length'>(text, phcForm);
    const { hash = 'sha1', iterations, length } = parts;
    const digest = fromBase64(parts.digest);
    if (length !== undefined && Number(length) !== digest.length)
      throw new UnreadableHash('The digest does not have its declared length');
    return toCheck({ hash, iterations, salt: fromBase64(parts.salt), digest });
  },
};

const dovecotForm = /^\{PBKDF2\}\$1\$(?<salt>[^$]+)\$(?<iterations>\d+)\$(?<digest>(?:[0-9a-f]{2})+)$/i;

/** Verifies Dovecot's `{PBKDF2}$1$<salt>$5000$<hex>`: SHA-1, and a salt that is plain text. */
export const dovecotPbkdf2: HashFormat = {
  from: 'Dovecot',
  looksLike: ['{PBKDF2}$1$…$…$…'],
  begins: /^\{PBKDF2\}\$/i,
  read: (text) => {
    const { iterations, salt, digest } = partsOf<'iterations' | 'salt' | 'digest'>(text, dovecotForm);
    return toCheck({ hash: 'sha1', iterations, salt: Buffer.from(salt), digest: Buffer.from(digest, 'hex') });
  },
};

/** Parameters of Spring's encoder by the name of its version, which the hash does not contain. */
const springVersions = {
  '': { hash: 'sha1', iterations: '185000', saltBytes: 8 },
  '@SpringSecurity_v5_8': { hash: 'sha256', iterations: '310000', saltBytes: 16 },
} as const;

const springForm =
  /^\{pbkdf2(?<version>(?:@SpringSecurity_v5_8)?)\}(?<body>(?:[0-9a-f]{2}){40}|(?:[0-9a-f]{2}){48})$/;

/**
 * Verifies Spring Security's `{pbkdf2}<hex>` and `{pbkdf2@SpringSecurity_v5_8}<hex>` with the default parameters of the
 * encoder: the hex digits are salt and digest. A hash of an encoder with a secret or with other
 * iterations looks the same, and never matches.
 */
export const springPbkdf2: HashFormat = {
  from: 'Spring Security',
  looksLike: ['{pbkdf2}<hex>', '{pbkdf2@SpringSecurity_v5_8}<hex>'],
  begins: /^\{pbkdf2(?:@\w+)?\}[0-9a-f]{20}/,
  read: (text) => {
    const { version, body } = partsOf<'version' | 'body'>(text, springForm);
    const { hash, iterations, saltBytes } = springVersions[version as keyof typeof springVersions]; // the pattern matches no other version
    const bytes = Buffer.from(body, 'hex');
    if (bytes.length !== saltBytes + 32)
      throw new UnreadableHash('The salt does not have the length of its version');
    return toCheck({
      hash,
      iterations,
      salt: bytes.subarray(0, saltBytes),
      digest: bytes.subarray(saltBytes),
    });
  },
};

/** Hash functions of ASP.NET Core Identity, by their number. */
const aspNetHashes = ['sha1', 'sha256', 'sha512'] as const;
/** Bytes of the header of version 3: marker, hash function, iterations and length of the salt. */
const aspNetHeader = 13;

/**
 * Verifies ASP.NET Identity in version 2 (a zero byte, 16 bytes of salt, 32 of PBKDF2-SHA-1 with 1000 iterations) and
 * version 3 (the byte 1; hash function, iterations and length of the salt as big-endian numbers; salt; digest), in base64.
 */
export const aspNetIdentity: HashFormat = {
  from: 'ASP.NET Identity, versions 2 and 3',
  looksLike: ['A… (68 characters of base64)', 'AQAAAA… (base64)'],
  begins: /^(?:A[A-P][A-Za-z0-9+/]{63}[AQgw]==$|AQAAAA[A-Za-z0-9+/=]+$)/,
  read: (text) => {
    const bytes = Buffer.from(text, 'base64');
    if (bytes[0] === 0)
      return toCheck({
        hash: 'sha1',
        iterations: '1000',
        salt: bytes.subarray(1, 17),
        digest: bytes.subarray(17),
      });
    const hash = bytes.length > aspNetHeader ? aspNetHashes[bytes.readUInt32BE(1)] : undefined;
    if (hash === undefined) throw malformedHash();
    const end = aspNetHeader + bytes.readUInt32BE(9);
    return toCheck({
      hash,
      iterations: String(bytes.readUInt32BE(5)),
      salt: bytes.subarray(aspNetHeader, end),
      digest: bytes.subarray(end),
    });
  },
};
