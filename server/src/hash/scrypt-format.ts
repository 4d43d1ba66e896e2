// Verifies scrypt (RFC 7914): as the PHC string of passlib and others, in the formats of Werkzeug, Django, Spring and
// Better Auth, and Firebase's variant, which encrypts a key of the project with the output of scrypt.
import { createCipheriv, scryptSync } from 'node:crypto';
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

/** Bounds of log2 of N. With r=8, 2^19 reaches the bound of the work; 2^14 to 2^17 are in common use. */
const costLogs = [1, 20] as const;
const blockSizes = [1, 64] as const;
const lanes = [1, 64] as const;

/** Bounds of the bytes that all lanes process in sequence: 512 MiB takes one to two seconds of a core. */
const workBytes = [1, 1024 ** 3 / 2] as const;
/** Additional memory that OpenSSL needs, in bytes. */
const spareBytes = 1024 ** 2;

interface Cost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/** @throws {UnreadableHash} if a parameter is out of bounds. */
function costOf(logN: string, r: string, p: string): Cost {
  const cost = {
    // RFC 7914 §2: N is less than 2^(128 * r / 8). OpenSSL throws otherwise.
    logN: bounded(logN, 'scrypt log2 N', [costLogs[0], Math.min(costLogs[1], 16 * Number(r) - 1)]),
    r: bounded(r, 'scrypt r', blockSizes),
    p: bounded(p, 'scrypt p', lanes),
  };
  bounded(String(128 * 2 ** cost.logN * cost.r * cost.p), 'scrypt work in bytes', workBytes);
  return cost;
}

function derive(password: string, salt: Buffer, length: number, { logN, r, p }: Cost): Buffer {
  const N = 2 ** logN;
  return scryptSync(password, salt, length, { N, r, p, maxmem: 128 * r * (N + p) + spareBytes });
}

interface Scrypt {
  readonly logN: string;
  readonly r: string;
  readonly p: string;
  readonly salt: Buffer;
  readonly digest: Buffer;
}

/** @throws {UnreadableHash} if the digest is too short or long, or a parameter is out of bounds. */
function toCheck({ logN, r, p, salt, digest }: Scrypt): Check {
  const cost = costOf(logN, r, p);
  const expected = digestOf(digest);
  return (password) => equalDigests(derive(password, salt, expected.length, cost), expected);
}

/** Returns log2 of N. @throws {UnreadableHash} if N is not a power of two. */
function log2Of(n: string): string {
  const logN = Math.log2(Number(n));
  if (!Number.isInteger(logN)) throw new UnreadableHash('The scrypt parameter N is not a power of two');
  return String(logN);
}

const phcForm = new RegExp(
  `^\\$scrypt\\$ln=(?<ln>\\d+),r=(?<r>\\d+),p=(?<p>\\d+)\\$(?<salt>${base64})\\$(?<digest>${base64})$`,
);

/** Verifies the PHC string `$scrypt$ln=16,r=8,p=1$<salt>$<hash>` of passlib and others. */
export const phcScrypt: HashFormat = {
  from: 'passlib, Authelia',
  looksLike: ['$scrypt$ln=…,r=…,p=…$…$…'],
  begins: /^\$scrypt\$/,
  read: (text) => {
    const { ln, r, p, salt, digest } = partsOf<'ln' | 'r' | 'p' | 'salt' | 'digest'>(text, phcForm);
    return toCheck({ logN: ln, r, p, salt: fromBase64(salt), digest: fromBase64(digest) });
  },
};

const werkzeugForm = /^scrypt:(?<n>\d+):(?<r>\d+):(?<p>\d+)\$(?<salt>[^$]+)\$(?<digest>(?:[0-9a-f]{2})+)$/;

/** Verifies the `scrypt:32768:8:1$<salt>$<hex>` of Werkzeug and Flask. The salt is plain text. */
export const werkzeugScrypt: HashFormat = {
  from: 'Flask (Werkzeug)',
  looksLike: ['scrypt:32768:8:1$…$…'],
  begins: /^scrypt:/,
  read: (text) => {
    const { n, r, p, salt, digest } = partsOf<'n' | 'r' | 'p' | 'salt' | 'digest'>(text, werkzeugForm);
    return toCheck({ logN: log2Of(n), r, p, salt: Buffer.from(salt), digest: Buffer.from(digest, 'hex') });
  },
};

const djangoForm = new RegExp(
  `^scrypt\\$(?<n>\\d+)\\$(?<salt>[^$]+)\\$(?<r>\\d+)\\$(?<p>\\d+)\\$(?<digest>${base64})$`,
);

/** Verifies Django's `scrypt$16384$<salt>$8$5$<base64>`. The salt is plain text. */
export const djangoScrypt: HashFormat = {
  from: 'Django',
  looksLike: ['scrypt$16384$…$8$5$…'],
  begins: /^scrypt\$/,
  read: (text) => {
    const { n, r, p, salt, digest } = partsOf<'n' | 'r' | 'p' | 'salt' | 'digest'>(text, djangoForm);
    return toCheck({ logN: log2Of(n), r, p, salt: Buffer.from(salt), digest: fromBase64(digest) });
  },
};

const springForm = new RegExp(
  `^\\{scrypt(?:@SpringSecurity_v5_8)?\\}\\$(?<ln>[0-9a-f]{1,2})(?<r>[0-9a-f]{2})(?<p>[0-9a-f]{2})\\$(?<salt>${base64})\\$(?<digest>${base64})$`,
);
const fromHex = (digits: string): string => String(Number.parseInt(digits, 16));

/**
 * Verifies Spring Security's `{scrypt}$e0801$<salt>$<hash>`. The first part has log2 of N, then r and p in two hex digits
 * each.
 */
export const springScrypt: HashFormat = {
  from: 'Spring Security',
  looksLike: ['{scrypt}$e0801$…$…', '{scrypt@SpringSecurity_v5_8}$100801$…$…'],
  begins: /^\{scrypt(?:@\w+)?\}/,
  read: (text) => {
    const { ln, r, p, salt, digest } = partsOf<'ln' | 'r' | 'p' | 'salt' | 'digest'>(text, springForm);
    return toCheck({
      logN: fromHex(ln),
      r: fromHex(r),
      p: fromHex(p),
      salt: fromBase64(salt),
      digest: fromBase64(digest),
    });
  },
};

const betterAuthForm = /^(?<salt>[0-9a-f]{32}):(?<digest>[0-9a-f]{128})$/;

/**
 * Verifies Better Auth's `<salt>:<hash>` in hex: scrypt with N=16384, r=16, p=1. Its salt is the text of the hex digits,
 * and the password is in normal form KC.
 */
export const betterAuthScrypt: HashFormat = {
  from: 'Better Auth',
  looksLike: ['<32 hex digits>:<128 hex digits>'],
  begins: /^[0-9a-f]{32}:[0-9a-f]/,
  spellings: (password) => [password.normalize('NFKC')],
  read: (text) => {
    const { salt, digest } = partsOf<'salt' | 'digest'>(text, betterAuthForm);
    return toCheck({
      logN: '14',
      r: '16',
      p: '1',
      salt: Buffer.from(salt),
      digest: Buffer.from(digest, 'hex'),
    });
  },
};

const firebaseForm = new RegExp(
  `^\\$firebase-scrypt\\$ln=(?<ln>\\d+),r=(?<r>\\d+),p=(?<p>\\d+),sk=(?<signerKey>${base64}),ss=(?<separator>(?:${base64})?)` +
    `\\$(?<salt>${base64})\\$(?<digest>${base64})$`,
);
/** Firebase derives 64 bytes; the first 32 are the AES key. */
const firebaseKeyBytes = 32;
const firebaseDerivedBytes = 64;

/**
 * Verifies `$firebase-scrypt$ln=14,r=8,p=1,sk=<signer key>,ss=<salt separator>$<salt>$<hash>`, with all parts in
 * base64. Firebase exports the four parameters once per project, and an importer writes them into each hash (`ln` is
 * Firebase's "memory cost", `r` its "rounds"). scrypt of salt and separator returns a key, which encrypts the signer
 * key with AES-256 in counter mode from zero; the result is the hash (https://github.com/firebase/scrypt).
 */
export const firebaseScrypt: HashFormat = {
  from: 'Firebase',
  looksLike: ['$firebase-scrypt$ln=…,r=…,p=…,sk=…,ss=…$…$…'],
  begins: /^\$firebase-scrypt\$/,
  read: (text) => {
    const parts = partsOf<'ln' | 'r' | 'p' | 'signerKey' | 'separator' | 'salt' | 'digest'>(
      text,
      firebaseForm,
    );
    const cost = costOf(parts.ln, parts.r, parts.p);
    const signerKey = fromBase64(parts.signerKey);
    const expected = digestOf(fromBase64(parts.digest));
    if (signerKey.length !== expected.length)
      throw new UnreadableHash('The hash and its signer key have different lengths');
    const salt = Buffer.concat([fromBase64(parts.salt), fromBase64(parts.separator)]);
    return (password) => {
      const key = derive(password, salt, firebaseDerivedBytes, cost).subarray(0, firebaseKeyBytes);
      const made = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(signerKey);
      return equalDigests(made, expected);
    };
  },
};
