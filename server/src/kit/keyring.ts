// The service's own keys: what is encrypted or keyed at rest, and the text in which keys are kept. The first key of a
// ring is the current one and does all new work; the others only read what was written under them, so that a key is
// replaced without rewriting a row. Each purpose has keys of its own, derived, so what was made for one is never taken
// for another.
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { equalDigests } from './secret.ts';

/** One key: 256 random bits, and the name by which what it wrote refers to it. */
export interface Key {
  readonly id: string;
  readonly secret: Uint8Array;
}

/** The keys cannot be used as they stand; the message says why and what to do, and holds no key. */
export class KeysRefused extends Error {
  override readonly name = 'KeysRefused';
}

/** A text does not decrypt: the message says why, without the text. */
export class DecryptionFault extends Error {
  override readonly name = 'DecryptionFault';
}

const keyBytes = 32;
const idBytes = 4;
const idPattern = '[A-Za-z0-9_-]{1,32}';
/** 32 bytes in base64, of either alphabet, padded or not: what `openssl rand -base64 32` prints will do. */
const line = new RegExp(`^(?<id>${idPattern})[ \\t]+(?<secret>[A-Za-z0-9+/_-]{43}=?)$`);

/** A new key with a name of its own. */
export function createKey(): Key {
  return { id: randomBytes(idBytes).toString('hex'), secret: randomBytes(keyBytes) };
}

/** The text of keys: one a line, the current one first. */
export function formatKeys(keys: readonly Key[]): string {
  return keys.map(({ id, secret }) => `${id} ${Buffer.from(secret).toString('base64url')}\n`).join('');
}

/**
 * Reads the text of keys: `<key id> <32 bytes in base64>` each, the current one first, on lines of their own or with
 * commas between them. Empty lines and those that begin with # are left out.
 * @throws {KeysRefused} whose message completes "NAME …".
 */
export function parseKeys(text: string): Key[] {
  const lines = text
    .split(/[\n,]/)
    .map((one) => one.trim())
    .filter((one) => one !== '' && !one.startsWith('#'));
  const keys = lines.map((one, i) => {
    const { id = '', secret = '' } = line.exec(one)?.groups ?? {};
    const bytes = Buffer.from(secret, 'base64');
    // The line itself is never quoted: it may be a key with a slip of the pen.
    if (bytes.length !== keyBytes)
      throw new KeysRefused(
        `must contain keys as "<key id> <32 bytes in base64>"; entry ${i + 1} is malformed`,
      );
    return { id, secret: bytes };
  });
  if (keys.length === 0) throw new KeysRefused('contains no key');
  const twice = keys.find(({ id }, i) => keys.findIndex((other) => other.id === id) !== i);
  if (twice !== undefined) throw new KeysRefused(`contains two keys with the id ${twice.id}`);
  return keys;
}

const cipher = 'aes-256-gcm';
/** NIST SP 800-38D §8.2.2: random nonces of 96 bits, for at most 2^32 texts under one derived key. */
const nonceBytes = 12;
const tagBytes = 16;

const encryptedForm = new RegExp(`^v1\\.(?<id>${idPattern})\\.(?<body>[A-Za-z0-9_-]+)$`);
const macForm = new RegExp(`^(?<id>${idPattern})\\.(?<body>[A-Za-z0-9_-]{43})$`);

export class Keyring {
  readonly #current: Key;
  readonly #keys: ReadonlyMap<string, Key>;
  /** Purposes are words in the code, so this stays small. */
  readonly #derived = new Map<string, Uint8Array>();

  /** The first key is the current one. */
  constructor(keys: readonly Key[]) {
    const [current] = keys;
    if (current === undefined) throw new KeysRefused('There is no key');
    this.#current = current;
    this.#keys = new Map(keys.map((key) => [key.id, key]));
  }

  /** Ids of the keys, the current one first. */
  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /**
   * Encrypts a text by AES-256-GCM under the current key: `v1.<key id>.<nonce, ciphertext and tag>`, safe in URLs. The
   * purpose is a word of the code, such as `mail`. A context (the id of the row) ties the text to its place: it does
   * not decrypt in another row.
   */
  encrypt(purpose: string, plaintext: string, context = ''): string {
    const { id } = this.#current;
    const nonce = randomBytes(nonceBytes);
    const sealed = createCipheriv(cipher, this.#derive(this.#current, 'encrypt', purpose), nonce).setAAD(
      associated(id, purpose, context),
    );
    const body = Buffer.concat([
      nonce,
      sealed.update(plaintext, 'utf8'),
      sealed.final(),
      sealed.getAuthTag(),
    ]);
    return `v1.${id}.${body.toString('base64url')}`;
  }

  /**
   * The text that `encrypt` was given, with the same purpose and context, by any key of the ring.
   * @throws {DecryptionFault} for what is no encrypted text, was changed, or was made for another purpose, context or ring.
   */
  decrypt(purpose: string, text: string, context = ''): string {
    const { id = '', body = '' } = encryptedForm.exec(text)?.groups ?? {};
    const bytes = Buffer.from(body, 'base64url');
    // One text has one spelling: base64 with unused bits set is none of ours.
    if (bytes.length < nonceBytes + tagBytes || bytes.toString('base64url') !== body)
      throw new DecryptionFault('The text is not in the encrypted format');
    const key = this.#keys.get(id);
    if (key === undefined)
      throw new DecryptionFault(`The text was encrypted with the key ${id}, which is missing`);
    const opened = createDecipheriv(
      cipher,
      this.#derive(key, 'encrypt', purpose),
      bytes.subarray(0, nonceBytes),
      { authTagLength: tagBytes },
    )
      .setAAD(associated(id, purpose, context))
      .setAuthTag(bytes.subarray(-tagBytes));
    try {
      return Buffer.concat([opened.update(bytes.subarray(nonceBytes, -tagBytes)), opened.final()]).toString();
    } catch (error) {
      throw new DecryptionFault(
        `The text does not decrypt as ${purpose}: it was modified, or encrypted for another purpose or row`,
        { cause: error },
      );
    }
  }

  /** HMAC-SHA-256 of a text under the current key: `<key id>.<digest>`, safe in URLs. */
  mac(purpose: string, text: string): string {
    return this.#macBy(this.#current, purpose, text);
  }

  /** True if the mac is one of this text and purpose by any key of the ring; compares in constant time. */
  checkMac(purpose: string, text: string, mac: string): boolean {
    const key = this.#keys.get(macForm.exec(mac)?.groups?.['id'] ?? '');
    return key !== undefined && equalDigests(Buffer.from(this.#macBy(key, purpose, text)), Buffer.from(mac));
  }

  /** A mac of the same constant by each key, by key id: a database that remembers them knows its keys again. */
  checkValues(): ReadonlyMap<string, string> {
    return new Map(
      [...this.#keys.values()].map((key) => [key.id, this.#macBy(key, 'key-check', 'bienvenue')]),
    );
  }

  #macBy(key: Key, purpose: string, text: string): string {
    return `${key.id}.${createHmac('sha256', this.#derive(key, 'mac', purpose))
      .update(text)
      .digest('base64url')}`;
  }

  /** HKDF-SHA-256 (RFC 5869); the key is uniformly random, so it needs no salt (§3.1). */
  #derive(key: Key, use: 'encrypt' | 'mac', purpose: string): Uint8Array {
    const info = `bienvenue ${use} ${purpose}`;
    const place = `${key.id} ${info}`;
    let derived = this.#derived.get(place);
    if (derived === undefined) {
      derived = new Uint8Array(hkdfSync('sha256', key.secret, '', info, keyBytes));
      this.#derived.set(place, derived);
    }
    return derived;
  }
}

/** The parts as JSON, so that no two lists of parts make one text. */
function associated(...parts: readonly string[]): Uint8Array {
  return Buffer.from(JSON.stringify(['v1', ...parts]));
}
