// The address of the page of an authorization request. It has the languages that the application asks for, and names the
// application: the page can say where to start again after the request has ended and its row was removed.
import { dayMs, type Clock } from '../../../kit/clock.ts';
import type { TextCipher } from '../../../kit/keyring.ts';
import { addressOf } from '../../../http/markup.ts';
import { SealedState } from '../session/sealed-state.ts';

/** Time for which an ended request names its application. */
const lifeMs = 30 * dayMs;
const localesCharacters = 200;

export class InteractionAddresses {
  readonly #path: string;
  readonly #clients: SealedState<{ readonly clientId: string }>;

  /** @param path Path of the page without the id of the request. */
  constructor(path: string, cipher: TextCipher, clock: Clock) {
    this.#path = path;
    this.#clients = new SealedState(cipher, clock, lifeMs);
  }

  /** Returns the address of a request with these parameters. */
  of(uid: string, { client_id: clientId, ui_locales: locales }: Readonly<Record<string, unknown>>): string {
    return addressOf(`${this.#path}/${uid}`, {
      to: this.#clients.seal({ clientId: String(clientId) }),
      ...(typeof locales === 'string' && { ui_locales: locales.slice(0, localesCharacters) }),
    });
  }

  /** Returns the client in the parameter `to` of an address; `undefined` if the address was not made here. */
  clientOf(to: string | undefined): string | undefined {
    return this.#clients.open(to)?.clientId;
  }
}
