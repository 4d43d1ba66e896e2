// Carries a state in the address of a page, encrypted, so that no link of another site contains one.
import Type from 'typebox';
import { hourMs, type Clock } from '../../../kit/clock.ts';
import type { TextCipher } from '../../../kit/keyring.ts';

/** A field of a form or a query with a state. */
export const stateField = Type.Optional(Type.String({ maxLength: 8000, pattern: '^[\\w.-]*$' }));

/** Time for which a page with a state can be opened again. */
const defaultLifeMs = hourMs;

/** Seals and opens states of one kind of page. `State` is written as JSON. */
export class SealedState<State extends object> {
  readonly #cipher: TextCipher;
  readonly #clock: Clock;
  readonly #lifeMs: number;

  constructor(cipher: TextCipher, clock: Clock, lifeMs: number = defaultLifeMs) {
    this.#cipher = cipher;
    this.#clock = clock;
    this.#lifeMs = lifeMs;
  }

  seal(state: State): string {
    return this.#cipher.encrypt(JSON.stringify([this.#clock(), state]));
  }

  /** Returns the state in a text; `undefined` if it was not sealed for this kind of page, or has expired. */
  open(text: string | undefined): State | undefined {
    if (text === undefined || text === '') return undefined;
    try {
      const [at, state] = JSON.parse(this.#cipher.decrypt(text)) as [number, State]; // from seal()
      return at + this.#lifeMs > this.#clock() ? state : undefined;
    } catch {
      return undefined;
    }
  }
}
