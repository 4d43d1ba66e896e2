// Creates the key pairs that sign tokens, and decrypts their private parts.
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { JWK } from 'jose';
import { DecryptionFault, KeysRefused, type Keyring } from '../kit/keyring.ts';
import { signingKeyPrivate } from './schema.ts';
import { cipherOf } from './sealed.ts';

/** Algorithms of RFC 7518 §3.1. OpenID Connect Core 15.1 requires RS256; ES256 has the shorter signatures. */
export type SigningAlgorithm = 'RS256' | 'ES256';

/** All algorithms, in the order in which their keys are published. */
export const signingAlgorithms: readonly SigningAlgorithm[] = ['RS256', 'ES256'];

/** `next` is published before it signs, `current` signs, `retired` is published until the tokens it signed have expired. */
export type SigningKeyState = 'next' | 'current' | 'retired';

/** The signing keys do not allow a change. The message says why and what to do. */
export class SigningKeyRefused extends Error {
  override readonly name = 'SigningKeyRefused';
}

/** A key pair. Both JWK have `kid`, `alg` and `use`. */
export interface SigningKeyPair {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly privateJwk: JWK;
  readonly publicJwk: JWK;
}

/** Creates a key pair for an algorithm. */
export type KeyFactory = (alg: SigningAlgorithm) => Promise<SigningKeyPair>;

/** As strong as 128 bits of symmetric security (NIST SP 800-57 part 1, table 2), as P-256 and SHA-256 are. */
const rsaBits = 3072;

const generate = promisify(generateKeyPair);

/** Creates an RSA key of 3072 bits or a key on P-256. Runs in the thread pool: an RSA key takes about 150 ms. */
export function createSigningKey(alg: SigningAlgorithm): Promise<SigningKeyPair> {
  return createKeyPair(alg, rsaBits);
}

/** Creates a key pair; `modulusLength` is the number of bits of an RSA key. */
export async function createKeyPair(alg: SigningAlgorithm, modulusLength: number): Promise<SigningKeyPair> {
  const { privateKey, publicKey } =
    alg === 'RS256'
      ? await generate('rsa', { modulusLength })
      : await generate('ec', { namedCurve: 'P-256' });
  const { calculateJwkThumbprint, exportJWK } = await import('jose'); // 40 ms, which no start should pay
  const publicPart = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(publicPart, 'sha256');
  if (kid.startsWith('-')) return createKeyPair(alg, modulusLength); // a command would read it as an option
  const names = { kid, alg, use: 'sig' };
  return {
    kid,
    alg,
    privateJwk: { ...(await exportJWK(privateKey)), ...names },
    publicJwk: { ...publicPart, ...names },
  };
}

/** Encrypts the private key of a pair for its row. */
export function sealSigningKey(keyring: Keyring, { kid, privateJwk }: SigningKeyPair): string {
  return cipherOf(keyring, signingKeyPrivate).encrypt(JSON.stringify(privateJwk), kid);
}

/** A private key as it is stored. */
export interface SealedSigningKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly state: SigningKeyState;
  readonly sealed: string;
}

/**
 * Decrypts a private key.
 * @throws {KeysRefused} if it cannot be decrypted; the message says what to do.
 */
export function openSigningKey(keyring: Keyring, { kid, alg, state, sealed }: SealedSigningKey): JWK {
  try {
    return JSON.parse(cipherOf(keyring, signingKeyPrivate).decrypt(sealed, kid)) as JWK; // authenticated, so it is ours
  } catch (error) {
    if (!(error instanceof DecryptionFault)) throw error;
    throw new KeysRefused(
      `The signing key ${kid} (${alg}, ${state}) cannot be decrypted. ${error.message}. Provide the keys of this database, or replace the signing key: "bienvenue signing-key retire ${kid} --now".`,
      { cause: error },
    );
  }
}
