// Declares the table with which a database recognizes its keys, and that of the keys that sign tokens.
import type { Instant, SealedColumn } from '../db/schema.ts';

/** The keys that the database was used with. It stores a digest that identifies each key, never the key. */
interface KeyCheckTable {
  /** Id of the key. */
  id: string;
  /** Keyed digest of a constant. */
  check_value: string;
  created_at: Instant;
}

interface SigningKeyTable {
  /** Key ID: the JWK thumbprint with SHA-256 (RFC 7638). */
  id: string;
  /** A `SigningAlgorithm`. */
  alg: string;
  /** A `SigningKeyState`. There is one next and one current key per algorithm. */
  state: string;
  /** JWK as JSON, encrypted and tied to the row. */
  private_jwk: string;
  /** JWK as JSON, for other readers of the table. The service publishes what it computes from the private key. */
  public_jwk: string;
  created_at: Instant;
  state_since: Instant;
  /** When a retired key is no longer published; null for the other states. */
  expires_at: Instant | null;
}

export interface KeyTables {
  key_checks: KeyCheckTable;
  signing_keys: SigningKeyTable;
}

/** The private keys that sign tokens. */
export const signingKeyPrivate = {
  table: 'signing_keys',
  column: 'private_jwk',
  purpose: 'signing',
  isTiedToRow: true,
} satisfies SealedColumn;
