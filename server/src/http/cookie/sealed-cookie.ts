// A cookie whose content is encrypted: the browser returns it, and only the service reads it. Every value has the same
// length, so that its length reveals nothing.
import type { FastifyReply } from 'fastify';
import type { TextCipher } from '../../kit/keyring.ts';
import { Cookie, type CookieScope } from './cookie.ts';

export interface SealedCookieOptions {
  /** Name without prefix. */
  readonly name: string;
  readonly cipher: TextCipher;
  readonly scope: CookieScope;
  /** Bytes of every value before encryption. Browsers accept cookies of 4,096 bytes (RFC 6265 §6.1). */
  readonly bytes: number;
  /** Milliseconds for which browsers keep it. */
  readonly lifeMs: number;
}

/** What is encrypted. A value can be opened only in the context in which it was sealed. */
interface Sealed<Value> {
  readonly context: string;
  readonly value: Value;
}

export class SealedCookie<Value> extends Cookie {
  readonly #options: SealedCookieOptions;

  constructor(options: SealedCookieOptions) {
    const { name, scope, cipher } = options;
    super({ name, scope, accepts: (text) => decrypt(cipher, text) !== undefined });
    this.#options = options;
  }

  /** Returns whether a value fits into the cookie. */
  fits(value: Value, context = ''): boolean {
    return Buffer.byteLength(JSON.stringify({ context, value })) <= this.#options.bytes;
  }

  /** Sets the cookie, which replaces the former one. The value must fit. */
  seal(reply: FastifyReply, value: Value, context = ''): void {
    const { cipher, bytes, lifeMs } = this.#options;
    const text = JSON.stringify({ context, value } satisfies Sealed<Value>);
    const padding = ' '.repeat(bytes - Buffer.byteLength(text));
    const sealed = cipher.encrypt(text + padding);
    void reply.header('set-cookie', this.write(sealed, lifeMs));
  }

  /** Returns the value of a Cookie header; `undefined` if it has none that was sealed here in this context. */
  open(header: string | undefined, context = ''): Value | undefined {
    const text = this.read(header);
    const plain = text === undefined ? undefined : decrypt(this.#options.cipher, text);
    if (plain === undefined) return undefined;
    const sealed = JSON.parse(plain) as Sealed<Value>; // seal() encrypted it
    return sealed.context === context ? sealed.value : undefined;
  }
}

function decrypt(cipher: TextCipher, text: string): string | undefined {
  try {
    return cipher.decrypt(text);
  } catch {
    return undefined; // not from this service
  }
}
