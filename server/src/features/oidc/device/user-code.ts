// The code that a person types (RFC 8628 §6.1): eight of twenty consonants, shown with a dash.
//
// Wrong codes are counted in the memory of each process, because the length of the code protects it, and the limit adds
// to that. There are 20^8 codes (34.6 bits), valid for ten minutes. In this time one network can try 330 codes at an
// instance. With ten instances and a hundred codes that wait, one of them is found with a probability of 1 in 77,000; a
// given one with 1 in 7,700,000. What is found gives no access to another account: a user who enters the code of a
// stranger's device signs that device in with their own account. The attempts of identity/attempt do not fit: they are
// about one secret, and would block a person after a hundred mistakes in a month.
import { RateLimit, takeAll, type Bucket } from '../../../kit/rate-limit.ts';
import { Problem } from '../../../kit/problem.ts';
import type { Clock } from '../../../kit/clock.ts';
import { normalizeCode } from '../../../kit/text/typed-code.ts';

/** Wrong codes that one user may enter in a minute, and those of all users in one network. */
const wrongPerUser = 10;
export const wrongPerNetwork = 30;
const maxKeys = 50_000;

/** Returns the letters of a typed code as the engine stores them: in upper case, without what separates them. */
export function lettersOf(text: string): string {
  return normalizeCode(text)
    .toUpperCase()
    .replaceAll(/[^A-Z]/g, '');
}

/** Returns a code as it is shown. */
export function shownCode(letters: string): string {
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}

/** Limits wrong codes: a code of another person is valid for ten minutes (RFC 8628 §5.1). */
export class WrongCodes {
  readonly #perUser: RateLimit;
  readonly #perNetwork: RateLimit;

  constructor(clock: Clock) {
    this.#perUser = new RateLimit({ perMinute: wrongPerUser, maxKeys, clock });
    this.#perNetwork = new RateLimit({ perMinute: wrongPerNetwork, maxKeys, clock });
  }

  /** Call it before the result of a look-up is used. @throws {Problem} too_many_requests. */
  requireFew(userId: number, network: string | undefined): void {
    for (const { limit, key } of this.#buckets(userId, network)) {
      const { isAllowed, seconds } = limit.ask(key, 1); // not kept: only wrong codes count
      if (!isAllowed) throw new Problem('too_many_requests', { retryAfterSeconds: seconds });
    }
  }

  note(userId: number, network: string | undefined): void {
    takeAll(this.#buckets(userId, network), 1);
  }

  #buckets(userId: number, network = ''): [Bucket, Bucket] {
    return [
      { limit: this.#perUser, key: String(userId) },
      { limit: this.#perNetwork, key: network },
    ];
  }
}
