// Verifies Argon2 hashes, in the format that this service writes too.
import type { Algorithm, Version } from '@node-rs/argon2';
import { equalDigests } from '../kit/secret.ts';
import { bounded, digestOf, fromBase64, partsOf, UnreadableHash, type HashFormat } from './stored-hash.ts';

/**
 * Bounds of the cost parameters. 1 GiB and four passes is the most expensive setting in common use (libsodium's
 * SENSITIVE) and takes about two seconds of a core; all threads may use that memory simultaneously. HASH_MEMORY_KIB and
 * HASH_PASSES stay within the bounds.
 */
export const argon2Bounds = {
  memoryKib: [8, 1_048_576],
  passes: [1, 100],
  /** Memory times passes, which determines the time. */
  kibPasses: [8, 4 * 1_048_576],
  lanes: [1, 64],
} as const;

/** Minimum of RFC 9106 §3.1. */
const minSaltBytes = 8;
const kibPerLane = 8;

const algorithms: Record<string, Algorithm> = { d: 0, i: 1, id: 2 };
/** A hash without a version has version 1.0, the first one. */
const versions: Record<string, Version> = { '16': 0, '19': 1 };
const form =
  /^\$argon2(?<variant>id|i|d)(?:\$v=(?<version>16|19))?\$m=(?<memory>\d+),t=(?<passes>\d+),p=(?<lanes>\d+)\$(?<salt>[A-Za-z0-9+/]+)={0,2}\$(?<digest>[A-Za-z0-9+/]+)={0,2}$/;

/**
 * Verifies argon2id, argon2i and argon2d as PHC strings (RFC 9106), also with the padding of base64 that PHC omits. This
 * service writes argon2id in the same format.
 */
export const argon2: HashFormat = {
  from: 'PHP, Python, Go, Rust and most current libraries',
  looksLike: ['$argon2id$v=19$m=…,t=…,p=…$…', '$argon2i$…', '$argon2d$…'],
  begins: /^\$argon2/,
  read: (text) => {
    const parts = partsOf<'variant' | 'memory' | 'passes' | 'lanes' | 'salt' | 'digest', 'version'>(
      text,
      form,
    );
    const algorithm = algorithms[parts.variant] ?? 2;
    const version = versions[parts.version ?? '16'] ?? 1;
    const parallelism = bounded(parts.lanes, 'argon2 lanes', argon2Bounds.lanes);
    const memoryCost = bounded(parts.memory, 'argon2 memory in KiB', [
      kibPerLane * parallelism,
      argon2Bounds.memoryKib[1],
    ]);
    const timeCost = bounded(parts.passes, 'argon2 passes', argon2Bounds.passes);
    bounded(String(memoryCost * timeCost), 'argon2 memory in KiB times its passes', argon2Bounds.kibPasses);
    const salt = fromBase64(parts.salt);
    if (salt.length < minSaltBytes)
      throw new UnreadableHash(
        `The argon2 salt has ${salt.length} bytes; at least ${minSaltBytes} are required`,
      );
    const digest = digestOf(fromBase64(parts.digest));
    return async (password) => {
      const { hashRawSync } = await import('@node-rs/argon2');
      const made = hashRawSync(password, {
        algorithm,
        version,
        memoryCost,
        timeCost,
        parallelism,
        salt,
        outputLen: digest.length,
      });
      return equalDigests(made, digest);
    };
  },
};
