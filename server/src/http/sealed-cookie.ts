// Reads and writes a cookie whose content is encrypted: what a browser has to bring back, but nobody has to read. Every
// value has the same length, so that its length reveals nothing.
import type { FastifyReply } from 'fastify';
import { stringifySetCookie } from 'cookie';
import { secondMs } from '../kit/clock.ts';
import type { TextCipher } from '../kit/keyring.ts';
import { splitCookies } from './cookies.ts';

export interface SealedCookieOptions {
  /** Name without prefix. */
  readonly name: string;
  readonly cipher: TextCipher;
  /** Sent over https only, under a name that a subdomain cannot set (RFC 6265bis §4.1.3.2, `__Host-`). */
  readonly isSecure: boolean;
  /** Bytes of every value before encryption. Browsers accept cookies of 4,096 bytes (RFC 6265 §6.1). */
  readonly bytes: number;
  /** Milliseconds for which browsers keep it. */
  readonly lifeMs: number;
}

export class SealedCookie<Value> {
  readonly #options: SealedCookieOptions;
  readonly #name: string;

  constructor(options: SealedCookieOptions) {
    this.#options = options;
    this.#name = options.isSecure ? `__Host-${options.name}` : options.name;
  }

  /** Returns whether a value fits into the cookie. */
  fits(value: Value): boolean {
    return Buffer.byteLength(JSON.stringify(value)) <= this.#options.bytes;
  }

  /** Sets the cookie, which replaces the former one. The value must fit. */
  write(reply: FastifyReply, value: Value, context = ''): void {
    const { cipher, isSecure, bytes, lifeMs } = this.#options;
    const text = JSON.stringify(value);
    const padding = ' '.repeat(bytes - Buffer.byteLength(text));
    void reply.header(
      'set-cookie',
      stringifySetCookie({
        name: this.#name,
        value: cipher.encrypt(text + padding, context),
        path: '/',
        httpOnly: true,
        sameSite: 'lax',
        secure: isSecure,
        maxAge: lifeMs / secondMs,
      }),
    );
  }

  /** Returns the first value of a Cookie header that was written in this context; `undefined` if it has none. */
  read(header: string | undefined, context = ''): Value | undefined {
    for (const [name, text] of splitCookies(header)) {
      if (name !== this.#name) continue;
      const value = this.#open(text, context);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  #open(text: string, context: string): Value | undefined {
    try {
      return JSON.parse(this.#options.cipher.decrypt(text, context)) as Value; // write() encrypted it
    } catch {
      return undefined; // of another context, or not from this service
    }
  }
}
