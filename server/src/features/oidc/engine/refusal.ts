// Answers a browser whose request the provider refused, on a page of ours. Its address carries the reason encrypted, so
// that a link cannot show another text. Programs get JSON (RFC 6749 §5.2).
import type { KoaContextWithOIDC } from 'oidc-provider';
import { hourMs, type Clock } from '../../../kit/clock.ts';
import type { TextCipher } from '../../../kit/keyring.ts';
import { addressOf } from '../../../http/markup.ts';

/** Path of the page. */
export const refusalPath = '/oauth/error';
/** How long the page can be reloaded. */
const lifeMs = hourMs;

/** Why a request was refused. */
export interface Refusal {
  /** Error code of OAuth 2.0 or OpenID Connect. */
  readonly error: string;
  /** For the developer of the application, in English. */
  readonly description?: string | undefined;
  /** Name of the application, if it is known. */
  readonly clientName?: string | undefined;
  /** Where a sign-in at the application begins. */
  readonly again?: string | undefined;
}

export class Refusals {
  readonly #cipher: TextCipher;
  readonly #clock: Clock;

  constructor(cipher: TextCipher, clock: Clock) {
    this.#cipher = cipher;
    this.#clock = clock;
  }

  /** Answers a request of the engine. */
  answer(ctx: KoaContextWithOIDC, error: string, description: string | undefined): void {
    const status = ctx.status < 400 ? 400 : ctx.status;
    if (ctx.accepts('json', 'html') !== 'html') {
      ctx.status = status;
      ctx.body = { error, ...(description !== undefined && { error_description: description }) };
      return;
    }
    const { client } = ctx.oidc;
    const refusal = { error, description, clientName: client?.clientName, again: client?.initiateLoginUri };
    ctx.status = 303;
    ctx.body = '';
    ctx.set('location', this.addressOf(refusal));
  }

  /** Returns the address of the page. */
  addressOf(refusal: Refusal): string {
    const text = JSON.stringify({ ...refusal, at: this.#clock() });
    return addressOf(refusalPath, { to: this.#cipher.encrypt(text) });
  }

  /** Returns the reason in an address; `undefined` if it was not made here, or has expired. */
  open(text: string): Refusal | undefined {
    try {
      const { at, ...refusal } = JSON.parse(this.#cipher.decrypt(text)) as Refusal & { at: number }; // from addressOf()
      return at + lifeMs > this.#clock() ? refusal : undefined;
    } catch {
      return undefined;
    }
  }
}
