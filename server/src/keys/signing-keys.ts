// The keys that sign tokens: which one signs, which ones verifiers may still or already need, and how they are replaced.
// No key exists before the first call of `published`, so that a service that signs nothing pays nothing.
import { createHash } from 'node:crypto';
import type { JWK } from 'jose';
import type { AuditSource } from '../audit/event.ts';
import type { Database } from '../db/database.ts';
import { secondMs, type Clock } from '../kit/clock.ts';
import type { Keyring } from '../kit/keyring.ts';
import {
  createSigningKey,
  openSigningKey,
  sealSigningKey,
  SigningKeyRefused,
  signingAlgorithms,
  type KeyFactory,
  type SigningAlgorithm,
  type SigningKeyPair,
} from './signing-key.ts';
import {
  changedConcurrently,
  findIn,
  fingerprintOf,
  missingIn,
  noKeys,
  publishedAt,
  readyAt,
  requireRotatable,
  retiredMs,
  toEntry,
  type KeyChangeRecorder,
  type KeySlot,
  type SigningKeyEntry,
} from './signing-key-life.ts';
import {
  addStoredKey,
  listStoredKeys,
  lockStoredKeys,
  removeExpiredKeys,
  removeStoredKey,
  updateStoredState,
  type StoredSigningKey,
} from './signing-key-store.ts';

/** Maximum age of what an instance knows of changes by another one. */
const pollMs = 10 * secondMs;

/** What the provider signs with and publishes. */
export interface PublishedKeys {
  /** Changes with every change of a key or of a state. */
  readonly version: string;
  /** Private keys as JWK with kid, alg and use: the current ones first (RS256, then ES256), then retired, then next. */
  readonly keys: readonly JWK[];
}

interface SigningKeyParts {
  readonly database: Database;
  readonly keyring: Keyring;
  readonly clock: Clock;
  readonly record: KeyChangeRecorder;
  /** Instead of RSA keys of 3072 bits. */
  readonly createSigningKey?: KeyFactory;
}

/** The keys that sign tokens, in the database of all instances. */
export class SigningKeys {
  /** For the log of the purge. */
  readonly name = 'signing keys';
  readonly #database: Database;
  readonly #keyring: Keyring;
  readonly #clock: Clock;
  readonly #record: KeyChangeRecorder;
  readonly #create: KeyFactory;
  /** The newest read of the table, which may not have finished. */
  #read: { readonly at: number; readonly keys: Promise<PublishedKeys> } | undefined;
  #latest: PublishedKeys | undefined;

  constructor({
    database,
    keyring,
    clock,
    record,
    createSigningKey: create = createSigningKey,
  }: SigningKeyParts) {
    this.#database = database;
    this.#keyring = keyring;
    this.#clock = clock;
    this.#record = record;
    this.#create = create;
  }

  /**
   * Returns the keys to sign with and to publish. The first call of the first instance creates them. Reads the table at
   * most every 10 s; without a change it returns the same object.
   * @throws {KeysRefused} if a key cannot be decrypted.
   */
  published(): Promise<PublishedKeys> {
    const at = this.#clock();
    const age = at - (this.#read?.at ?? -Infinity);
    // A negative age means that the clock was set back.
    if (this.#read !== undefined && age >= 0 && age < pollMs) return this.#read.keys;
    const read = { at, keys: this.#load() };
    this.#read = read;
    read.keys.catch(() => {
      if (this.#read === read) this.#read = undefined; // the next call tries again
    });
    return read.keys;
  }

  /** Returns the keys that are published, in the same order. Creates none. */
  async list(): Promise<SigningKeyEntry[]> {
    return publishedAt(this.#clock(), await listStoredKeys(this.#database)).map(toEntry);
  }

  /**
   * Lets the next key of each algorithm sign, retires the current one and creates a new next one.
   * @param options `now`: also if a next key was not published long enough. Verifiers with cached keys then reject new
   *   tokens until they fetch the keys again.
   * @throws {SigningKeyRefused} if there are no keys yet, a next key was not published long enough, or another call
   *   changed the keys at the same time.
   */
  async rotate(
    { now: isForced = false }: { readonly now?: boolean },
    source: AuditSource,
  ): Promise<SigningKeyEntry[]> {
    const seen = await listStoredKeys(this.#database);
    requireRotatable(seen, isForced ? Infinity : this.#clock());
    const pairs = await Promise.all(signingAlgorithms.map((alg) => this.#create(alg)));
    await this.#change(async (tx, now) => {
      const keys = await listStoredKeys(tx);
      // Two rotations at a time: the second would let a key sign that was published a moment ago.
      if (fingerprintOf(keys) !== fingerprintOf(seen)) throw new SigningKeyRefused(changedConcurrently);
      for (const pair of pairs) {
        const { alg } = pair;
        const [current, next] = [findIn(keys, alg, 'current'), findIn(keys, alg, 'next')];
        if (current === undefined || next === undefined) continue; // `requireRotatable` saw both
        const timing = readyAt(next) <= now ? 'planned' : 'early';
        await updateStoredState(tx, {
          kid: current.kid,
          state: 'retired',
          now,
          expiresAt: now + retiredMs,
        });
        await this.#promote(tx, next, now);
        await this.#record(tx, { kind: 'rotated', kid: next.kid, alg, retired: current.kid, timing }, source);
        await this.#add(tx, pair, { state: 'next', now, source });
      }
    });
    return this.list();
  }

  /**
   * Removes a compromised key, or all keys, from what is published. If it was the current one, the next one signs
   * immediately. Tokens that it signed are rejected by every verifier that fetches the keys again.
   * @throws {SigningKeyRefused} if there is no such key.
   */
  async retire(which: { readonly kid: string } | 'all', source: AuditSource): Promise<SigningKeyEntry[]> {
    const matches = ({ kid }: StoredSigningKey): boolean => which === 'all' || which.kid === kid;
    const seen = (await listStoredKeys(this.#database)).filter(matches);
    // A retired key needs no successor; all keys of an algorithm need a current and a next one.
    const algs = new Set(seen.flatMap(({ alg, state }) => (state === 'retired' ? [] : [alg])));
    const needed = [...algs].flatMap((alg) => (which === 'all' ? [alg, alg] : [alg]));
    const pairs = await Promise.all(needed.map((alg) => this.#create(alg)));
    await this.#change(async (tx, now) => {
      const gone = (await listStoredKeys(tx)).filter(matches);
      if (gone.length === 0)
        throw new SigningKeyRefused(
          which === 'all'
            ? noKeys
            : `No signing key has the id ${which.kid}. List them: "bienvenue signing-key list".`,
        );
      for (const { kid, alg, state } of gone) {
        await removeStoredKey(tx, kid);
        await this.#record(tx, { kind: 'retired', kid, alg, state }, source);
      }
      const left = await listStoredKeys(tx);
      for (const alg of algs)
        await this.#refill(tx, left, { pairs: pairs.filter((pair) => pair.alg === alg), alg, now, source });
    });
    return this.list();
  }

  /** Removes up to `limit` retired keys that are no longer published and returns how many. */
  purge(limit: number): Promise<number> {
    return removeExpiredKeys(this.#database, this.#clock(), limit);
  }

  async #load(): Promise<PublishedKeys> {
    let stored = await listStoredKeys(this.#database);
    const missing = missingIn(stored);
    if (missing.length > 0) {
      await this.#createMissing(missing);
      stored = await listStoredKeys(this.#database);
    }
    const live = publishedAt(this.#clock(), stored);
    const version = createHash('sha256').update(fingerprintOf(live)).digest('base64url');
    if (this.#latest?.version === version) return this.#latest;
    const keys = live.map((key) => openSigningKey(this.#keyring, key));
    this.#latest = { version, keys };
    return this.#latest;
  }

  async #createMissing(missing: readonly KeySlot[]): Promise<void> {
    const made = await Promise.all(
      missing.map(async (slot) => ({ ...slot, pair: await this.#create(slot.alg) })),
    );
    await this.#change(async (tx, now) => {
      const still = missingIn(await listStoredKeys(tx)); // another instance may have been first
      for (const { alg, state, pair } of made)
        if (still.some((slot) => slot.alg === alg && slot.state === state))
          await this.#add(tx, pair, { state, now, source: { actor: 'service' } });
    });
  }

  /** Makes an algorithm complete again from its next key and new pairs. */
  async #refill(
    tx: Database,
    left: readonly StoredSigningKey[],
    { pairs, alg, now, source }: RefillParts,
  ): Promise<void> {
    const stock = [...pairs];
    const next = findIn(left, alg, 'next');
    const isSigning = findIn(left, alg, 'current') !== undefined;
    if (!isSigning && next !== undefined) await this.#promote(tx, next, now);
    const states: ('current' | 'next')[] = [];
    if (!isSigning && next === undefined) states.push('current');
    if (!isSigning || next === undefined) states.push('next');
    for (const state of states) {
      const pair = stock.shift();
      if (pair !== undefined) await this.#add(tx, pair, { state, now, source });
    }
  }

  async #promote(tx: Database, { kid }: StoredSigningKey, now: number): Promise<void> {
    await updateStoredState(tx, { kid, state: 'current', now, expiresAt: null });
  }

  async #add(
    tx: Database,
    pair: SigningKeyPair,
    { state, now, source }: { state: 'next' | 'current'; now: number; source: AuditSource },
  ): Promise<void> {
    const { kid, alg } = pair;
    const sealed = sealSigningKey(this.#keyring, pair);
    await addStoredKey(tx, { kid, alg, state, sealed, publicJwk: JSON.stringify(pair.publicJwk), now });
    await this.#record(tx, { kind: 'created', kid, alg, state }, source);
  }

  /** Changes the keys; only one instance at a time does. The next `published` of this instance reads them. */
  async #change(work: (tx: Database, now: number) => Promise<void>): Promise<void> {
    await this.#database.transaction(async (tx) => {
      await lockStoredKeys(tx);
      await work(tx, this.#clock());
    });
    this.#read = undefined;
  }
}

interface RefillParts {
  readonly pairs: readonly SigningKeyPair[];
  readonly alg: SigningAlgorithm;
  readonly now: number;
  readonly source: AuditSource;
}
