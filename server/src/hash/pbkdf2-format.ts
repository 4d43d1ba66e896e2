// PBKDF2 (RFC 8018 §5.2) as Django, Werkzeug and passlib write it, and as the PHC string in which exports that keep the
// parts apart (Keycloak's JSON) are brought here.
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

/** Ten million take two to six seconds of a core; Django, who raises its number most often, is at 1.2 million. */
const iterationBounds = [1, 10_000_000] as const;

/** Bytes of each hash function: a longer digest costs the iterations once per such block. */
const blockBytes: Record<string, number> = { sha1: 20, sha256: 32, sha512: 64 };

interface Pbkdf2 {
  readonly hash: string;
  readonly iterations: string;
  readonly salt: Buffer;
  readonly digest: Buffer;
}

/** @throws {UnreadableHash} */
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

/** `pbkdf2_sha256$1000000$<salt>$<base64>`: Django's. The salt is text, taken as it stands. */
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

/** `pbkdf2:sha256:600000$<salt>$<hex>`: Werkzeug's and so Flask's. The salt is text, taken as it stands. */
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
 * `$pbkdf2-sha256$i=27500,l=64$<salt>$<hash>`: the PHC string, with or without the length `l` in bytes. A Keycloak
 * credential becomes one from `algorithm`, `hashIterations`, `salt` and `value`. passlib writes
 * `$pbkdf2-sha256$29000$<salt>$<hash>` with a dot for each plus, and `$pbkdf2$` for SHA-1.
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
