// Reads and writes a cookie whose content is encrypted: what a browser has to bring back, but nobody has to read. Every
// value has the same length, so that its length reveals nothing.
import type { FastifyReply } from 'fastify';
import type { TextCipher } from '../kit/keyring.ts';
import { Cookie } from './cookie.ts';

export interface SealedCookieOptions {
  /** Name without prefix. */
  readonly name: string;
  readonly cipher: TextCipher;
  /** Sent over https only. */
  readonly isSecure: boolean;
  /** Bytes of every value before encryption. Browsers accept cookies of 4,096 bytes (RFC 6265 §6.1). */
  readonly bytes: number;
  /** Milliseconds for which browsers keep it. */
  readonly lifeMs: number;
}

export class SealedCookie<Value> {
  readonly #options: SealedCookieOptions;

  constructor(options: SealedCookieOptions) {
    this.#options = options;
  }

  /** Returns whether a value fits into the cookie. */
  fits(value: Value): boolean {
    return Buffer.byteLength(JSON.stringify(value)) <= this.#options.bytes;
  }

  /** Sets the cookie, which replaces the former one. The value must fit. */
  write(reply: FastifyReply, value: Value, context = ''): void {
    const { cipher, bytes, lifeMs } = this.#options;
    const text = JSON.stringify(value);
    const padding = ' '.repeat(bytes - Buffer.byteLength(text));
    const sealed = cipher.encrypt(text + padding, context);
    void reply.header('set-cookie', this.#cookie(() => true).write(sealed, lifeMs));
  }

  /** Returns the first value of a Cookie header that was written in this context; `undefined` if it has none. */
  read(header: string | undefined, context = ''): Value | undefined {
    const text = this.#cookie((sealed) => this.#open(sealed, context) !== undefined).read(header);
    return text === undefined ? undefined : this.#open(text, context);
  }

  #cookie(accepts: (text: string) => boolean): Cookie {
    const { name, isSecure: secure } = this.#options;
    return new Cookie({ name, secure, accepts });
  }

  #open(text: string, context: string): Value | undefined {
    try {
      return JSON.parse(this.#options.cipher.decrypt(text, context)) as Value; // write() encrypted it
    } catch {
      return undefined; // of another context, or not from this service
    }
  }
}
