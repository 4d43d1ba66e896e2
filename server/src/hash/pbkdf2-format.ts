// Verifies PBKDF2 (RFC 8018 §5.2) in the formats of Django, Werkzeug and passlib, and as a PHC string. Exports with
// separate parts, such as Keycloak's JSON, are converted to the PHC string.
import { pbkdf2Sync } from 'node:crypto';
import { equalDigests } from '../kit/secret.ts';
import {
  base64,
  bounded,
  digestOf,
  fromBase64,
  partsOf,
  UnreadableHash,
  type Check,
  type HashFormat,
} from './stored-hash.ts';

/**
 * Bounds of the iterations. Ten million take two to six seconds of a core; Django, with the highest default, uses 1.2
 * million.
 */
const iterationBounds = [1, 10_000_000] as const;

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
  const count = bounded(iterations, 'number of PBKDF2 iterations', iterationBounds);
  const blocks = Math.ceil(expected.length / (blockBytes[hash] ?? 1));
  bounded(String(count * blocks), 'number of PBKDF2 iterations of all blocks', iterationBounds);
  return (password) => equalDigests(pbkdf2Sync(password, salt, count, expected.length, hash), expected);
}

const djangoForm = new RegExp(
  `^pbkdf2_(?<hash>sha1|sha256)\\$(?<iterations>\\d+)\\$(?<salt>[^$]+)\\$(?<digest>${base64})$`,
);

/** Verifies Django's `pbkdf2_sha256$1000000$<salt>$<base64>`. The salt is plain text. */
export const djangoPbkdf2: HashFormat = {
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
  begins: /^\$pbkdf2[$-]/,
  read: (text) => {
    const parts = partsOf<'iterations' | 'salt' | 'digest', 'hash' | 'length'>(text, phcForm);
    const { hash = 'sha1', iterations, length } = parts;
    const digest = fromBase64(parts.digest);
    if (length !== undefined && Number(length) !== digest.length)
      throw new UnreadableHash('The digest does not have its declared length');
    return toCheck({ hash, iterations, salt: fromBase64(parts.salt), digest });
  },
};
