import { createKeyPair, type KeyFactory } from '../../src/keys/signing-key.ts';

/** RSA keys of 2048 bits, the least that RFC 7518 §3.3 allows: a quarter of the time of the real ones. */
export const cheapSigningKey: KeyFactory = (alg) => createKeyPair(alg, 2048);
