// Encrypts and authenticates data at rest, and reads and writes the text format of keys. The first key of a ring is the
// current key: it encrypts all new data. The other keys only decrypt older data, so that a key can be rotated without
// rewriting rows. Each purpose has its own derived keys, so a text of one purpose is never accepted for another.
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { equalDigests } from './secret.ts';

/** A key of 256 random bits. Encrypted texts name it by its id. */
export interface Key {
  readonly id: string;
  readonly secret: Uint8Array;
}

/** The keys cannot be used. The message says why and what to do, and contains no key. */
export class KeysRefused extends Error {
  override readonly name = 'KeysRefused';
}

/** A text cannot be decrypted. The message says why, and does not contain the text. */
export class DecryptionFault extends Error {
  override readonly name = 'DecryptionFault';
}

/** Encrypts and decrypts texts of one purpose. A text decrypts only in the context in which it was encrypted. */
export interface TextCipher {
  readonly encrypt: (text: string, context?: string) => string;
  /** @throws {DecryptionFault} */
  readonly decrypt: (text: string, context?: string) => string;
}

const keyBytes = 32;
const idBytes = 4;
const idPattern = '[A-Za-z0-9_-]{1,32}';
/** 32 bytes in base64 or base64url, padded or not: the output of `openssl rand -base64 32` is accepted. */
const line = new RegExp(`^(?<id>${idPattern})[ \\t]+(?<secret>[A-Za-z0-9+/_-]{43}=?)$`);

/** Creates a key with a random id. */
export function createKey(): Key {
  return { id: randomBytes(idBytes).toString('hex'), secret: randomBytes(keyBytes) };
}

/** Formats keys, one per line, the current key first. */
export function formatKeys(keys: readonly Key[]): string {
  return keys.map(({ id, secret }) => `${id} ${Buffer.from(secret).toString('base64url')}\n`).join('');
}

/**
 * Parses keys of the form `<key id> <32 bytes in base64>`, the current key first, separated by line breaks or commas.
 * Ignores empty lines and lines that begin with #.
 * @throws {KeysRefused} if an entry is malformed; the message completes "NAME …".
 */
export function parseKeys(text: string): Key[] {
  const lines = text
    .split(/[\n,]/)
    .map((one) => one.trim())
    .filter((one) => one !== '' && !one.startsWith('#'));
  const keys = lines.map((one, i) => {
    const { id = '', secret = '' } = line.exec(one)?.groups ?? {};
    const bytes = Buffer.from(secret, 'base64');
    // The message never quotes the line: it may be a key with a typing error.
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
/** Random nonces of 96 bits allow at most 2^32 texts under one derived key (NIST SP 800-38D §8.2.2, §8.3). */
const nonceBytes = 12;
const tagBytes = 16;

const encryptedForm = new RegExp(`^v1\\.(?<id>${idPattern})\\.(?<body>[A-Za-z0-9_-]+)$`);
const macForm = new RegExp(`^(?<id>${idPattern})\\.(?<body>[A-Za-z0-9_-]{43})$`);

export class Keyring {
  readonly #current: Key;
  readonly #keys: ReadonlyMap<string, Key>;
  /** Derived keys. Purposes are constants in the code, so this map stays small. */
  readonly #derived = new Map<string, KeyObject>();

  /**
   * The first key is the current one.
   * @throws {KeysRefused} if there is no key.
   */
  constructor(keys: readonly Key[]) {
    const [current] = keys;
    if (current === undefined) throw new KeysRefused('There is no key');
    this.#current = current;
    this.#keys = new Map(keys.map((key) => [key.id, key]));
  }

  /** Ids of the keys, the current key first. */
  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /**
   * Encrypts a text with AES-256-GCM under the current key. Returns `v1.<key id>.<nonce, ciphertext and tag>`, which is
   * safe in URLs. The purpose is a constant of the code, such as `mail`. A context (the id of the row) binds the text to
   * its row: it cannot be decrypted in another row.
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
   * Decrypts a text that `encrypt` returned for the same purpose and context, under any key of the ring.
   * @throws {DecryptionFault} if the text is malformed, was modified, or was encrypted for another purpose, context or
   *   ring.
   */
  decrypt(purpose: string, text: string, context = ''): string {
    const { id = '', body = '' } = encryptedForm.exec(text)?.groups ?? {};
    const bytes = Buffer.from(body, 'base64url');
    // Each text has exactly one encoding: base64url with unused bits set is rejected.
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

  /** Returns the cipher of a purpose. */
  textCipher(purpose: string): TextCipher {
    return {
      encrypt: (text, context) => this.encrypt(purpose, text, context),
      decrypt: (text, context) => this.decrypt(purpose, text, context),
    };
  }

  /** Returns the HMAC-SHA-256 of a text under the current key as `<key id>.<digest>`, which is safe in URLs. */
  mac(purpose: string, text: string): string {
    return this.#macBy(this.#current, purpose, text);
  }

  /** Returns whether a MAC matches the text and the purpose under any key of the ring. Compares in constant time. */
  checkMac(purpose: string, text: string, mac: string): boolean {
    const key = this.#keys.get(macForm.exec(mac)?.groups?.['id'] ?? '');
    return key !== undefined && equalDigests(Buffer.from(this.#macBy(key, purpose, text)), Buffer.from(mac));
  }

  /** Returns a MAC of one constant under each key, by key id. The database stores them to recognize its keys. */
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

  /**
   * Derives the key of a purpose with HKDF-SHA-256 (RFC 5869). The input is uniformly random, so it needs no salt
   * (§3.1). Ciphers and MACs take a key object in a sixth of the time of its bytes.
   */
  #derive(key: Key, use: 'encrypt' | 'mac', purpose: string): KeyObject {
    const info = `bienvenue ${use} ${purpose}`;
    const name = `${key.id} ${info}`;
    let derived = this.#derived.get(name);
    if (derived === undefined) {
      derived = createSecretKey(Buffer.from(hkdfSync('sha256', key.secret, '', info, keyBytes)));
      this.#derived.set(name, derived);
    }
    return derived;
  }
}

/** Returns the associated data. JSON keeps the parts apart: two different lists never produce the same bytes. */
function associated(...parts: readonly string[]): Uint8Array {
  return Buffer.from(JSON.stringify(['v1', ...parts]));
}
