// Checks the public keys of a client, which signs its assertions with the private ones (RFC 7523).
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import type { KeySet } from './client.ts';

/** Members of private and symmetric keys (RFC 7518 §6). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const minRsaBits = 2048;
/** Algorithms of assertions, by the type of the key. */
const algorithmsOfType: Readonly<Record<string, readonly string[]>> = {
  rsa: ['RS256', 'PS256'],
  ec: ['ES256'],
  ed25519: ['EdDSA', 'Ed25519'],
};
const maxKeys = 10;

/** Reads a key set, as an object or as JSON; `undefined` after it reported a fault. */
export function readKeySet(value: unknown, fault: (message: string) => void): KeySet | undefined {
  const keys = keysOf(value);
  if (keys === undefined || keys.length === 0 || keys.length > maxKeys) {
    fault(`must be a JSON Web Key Set, {"keys": […]}, of 1 to ${maxKeys} keys`);
    return undefined;
  }
  const clauses = keys.flatMap((key, i) => {
    const clause = keyFault(key);
    return clause === undefined ? [] : [`has a key (number ${i + 1}) that ${clause}`];
  });
  for (const clause of clauses) fault(clause);
  return clauses.length > 0 ? undefined : { keys };
}

function keysOf(value: unknown): JsonWebKey[] | undefined {
  const set = typeof value === 'string' ? parsed(value) : value;
  if (typeof set !== 'object' || set === null || !('keys' in set)) return undefined;
  const { keys } = set;
  const isList = Array.isArray(keys) && keys.every((key) => typeof key === 'object' && key !== null);
  return isList ? (keys as JsonWebKey[]) : undefined; // keyFault() checks their members
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function keyFault(key: JsonWebKey): string | undefined {
  if (privateMembers.some((name) => name in key))
    return 'contains a private key: register the public part only, and replace this key';
  const { use, key_ops: operations, kid, alg } = key as Readonly<Record<string, unknown>>;
  if (use !== undefined && use !== 'sig') return 'is not for signatures ("use" must be "sig")';
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return 'is not for verification ("key_ops" must have "verify", or be left out)';
  if (kid !== undefined && (typeof kid !== 'string' || kid === '')) return 'has a "kid" that is not a text';
  const form = `must be an RSA key of at least ${minRsaBits} bits, an EC key on P-256, or an Ed25519 key`;
  try {
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = createPublicKey({
      key,
      format: 'jwk',
    });
    const isStrong =
      (type === 'rsa' && (details?.modulusLength ?? 0) >= minRsaBits) ||
      (type === 'ec' && details?.namedCurve === 'prime256v1') ||
      type === 'ed25519';
    if (!isStrong) return form;
    const algorithms = algorithmsOfType[type ?? ''] ?? [];
    return alg === undefined || algorithms.some((one) => one === alg)
      ? undefined
      : `has the "alg" ${JSON.stringify(alg)}, which must be ${algorithms.join(' or ')}, or be left out`;
  } catch {
    return form;
  }
}
