// The rules about the life of a signing key: when it may sign, how long it is published, and in which order.
import type { AuditSource } from '../audit/event.ts';
import type { Database } from '../db/database.ts';
import { dayMs, hourMs } from '../kit/clock.ts';
import {
  SigningKeyRefused,
  signingAlgorithms,
  type SigningAlgorithm,
  type SigningKeyState,
} from './signing-key.ts';
import type { StoredSigningKey } from './signing-key-store.ts';

/**
 * How long verifiers and proxies may cache the published keys.
 * @public The route that publishes the keys says so in Cache-Control.
 */
export const keySetCacheMs = hourMs;
/** How long a key is published before it signs: caches have expired then, with an hour for slow ones. */
const nextKeyWaitMs = keySetCacheMs + hourMs;
/** How long a retired key is published: much longer than any token that it signed (ID tokens: 1 h). */
export const retiredMs = dayMs;

/** A key without its private part. Instants are Unix milliseconds. */
export interface SigningKeyEntry {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly state: SigningKeyState;
  readonly createdAt: number;
  readonly stateSince: number;
  /** When a next key has been published long enough to sign; null for the other states. */
  readonly readyAt: number | null;
  /** When a retired key is no longer published; null for the other states. */
  readonly expiresAt: number | null;
}

/** A change of the keys, for the audit log. */
export type SigningKeyChange =
  | {
      readonly kind: 'created';
      readonly kid: string;
      readonly alg: SigningAlgorithm;
      readonly state: 'next' | 'current';
    }
  | {
      readonly kind: 'rotated';
      /** The key that signs now. */
      readonly kid: string;
      readonly alg: SigningAlgorithm;
      readonly retired: string;
      /** `early`: it was published for a shorter time than verifiers may cache the keys. */
      readonly timing: 'planned' | 'early';
    }
  | {
      readonly kind: 'retired';
      readonly kid: string;
      readonly alg: SigningAlgorithm;
      readonly state: SigningKeyState;
    };

/** Records a change inside its transaction. */
export type KeyChangeRecorder = (
  tx: Database,
  change: SigningKeyChange,
  source: AuditSource,
) => Promise<void>;

/** An algorithm and a state: each algorithm has exactly one key that is current and one that is next. */
export interface KeySlot {
  readonly alg: SigningAlgorithm;
  readonly state: 'current' | 'next';
}

/** Why there is nothing to change. */
export const noKeys = 'There are no signing keys yet. The service creates them when it first needs them.';
/** Why a concurrent change is refused. */
export const changedConcurrently =
  'Another command or instance has just changed the signing keys. List them: "bienvenue signing-key list".';

/** Returns a key of the algorithm in the state. */
export function findIn(
  keys: readonly StoredSigningKey[],
  alg: SigningAlgorithm,
  state: SigningKeyState,
): StoredSigningKey | undefined {
  return keys.find((key) => key.alg === alg && key.state === state);
}

/** Returns the slots without a key. */
export function missingIn(keys: readonly StoredSigningKey[]): KeySlot[] {
  const slots = signingAlgorithms.flatMap((alg): KeySlot[] => [
    { alg, state: 'current' },
    { alg, state: 'next' },
  ]);
  return slots.filter(({ alg, state }) => findIn(keys, alg, state) === undefined);
}

const publishedStates: readonly SigningKeyState[] = ['current', 'retired', 'next'];

function rankOf({ alg, state }: StoredSigningKey): number {
  return publishedStates.indexOf(state) * signingAlgorithms.length + signingAlgorithms.indexOf(alg);
}

/** Returns the keys that are published at an instant, in the order of `PublishedKeys`. */
export function publishedAt(now: number, keys: readonly StoredSigningKey[]): StoredSigningKey[] {
  return keys
    .filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
    .toSorted((one, other) => rankOf(one) - rankOf(other));
}

/** Returns the ids of the keys with their states, as one text that changes with every change of the keys. */
export function fingerprintOf(keys: readonly StoredSigningKey[]): string {
  return keys.map(({ kid, state }) => `${kid} ${state}`).join();
}

/** @throws {SigningKeyRefused} unless all next keys may sign at this instant. */
export function requireRotatable(keys: readonly StoredSigningKey[], at: number): void {
  if (missingIn(keys).length > 0) throw new SigningKeyRefused(noKeys);
  const early = keys.filter((key) => key.state === 'next' && readyAt(key) > at);
  const [first] = early.toSorted((one, other) => readyAt(other) - readyAt(one));
  if (first === undefined) return;
  const since = new Date(readyAt(first)).toISOString();
  throw new SigningKeyRefused(
    `The next key ${first.kid} (${first.alg}) must not sign before ${since}: verifiers may cache the published keys without it until then. Wait, or use --now; verifiers with cached keys then reject new tokens until they fetch the keys again.`,
  );
}

/** Returns when a next key has been published long enough to sign. */
export function readyAt({ stateSince }: StoredSigningKey): number {
  return stateSince + nextKeyWaitMs;
}

/** Returns the public facts of a key. */
export function toEntry(key: StoredSigningKey): SigningKeyEntry {
  const { kid, alg, state, createdAt, stateSince, expiresAt } = key;
  return {
    kid,
    alg,
    state,
    createdAt,
    stateSince,
    readyAt: state === 'next' ? readyAt(key) : null,
    expiresAt,
  };
}
