// Answers a browser whose request the provider refused, on a page of ours. Its address carries the reason encrypted, so
// that a link cannot show another text. Programs get JSON (RFC 6749 §5.2).
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Clock } from '../../../kit/clock.ts';
import type { TextCipher } from '../../../kit/keyring.ts';
import { addressOf } from '../../../http/markup.ts';
import { SealedState } from './sealed-state.ts';

/** Path of the page. */
export const refusalPath = '/oauth/error';

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
  /** The application asked for a sign-out. */
  readonly isLogout?: boolean;
}

export class Refusals {
  readonly #states: SealedState<Refusal>;

  constructor(cipher: TextCipher, clock: Clock) {
    this.#states = new SealedState(cipher, clock);
  }

  /** Answers a request of the engine. */
  answer(ctx: KoaContextWithOIDC, error: string, description: string | undefined): void {
    const status = ctx.status < 400 ? 400 : ctx.status;
    if (ctx.accepts('json', 'html') !== 'html') {
      ctx.status = status;
      ctx.remove('location'); // of the answer that it replaces
      ctx.type = 'json';
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
    return addressOf(refusalPath, { to: this.#states.seal(refusal) });
  }

  /** Returns the reason in an address; `undefined` if it was not made here, or has expired. */
  open(text: string): Refusal | undefined {
    return this.#states.open(text);
  }
}
