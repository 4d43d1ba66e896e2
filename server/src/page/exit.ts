// Leads from this service to an application. Browsers apply `form-action` to every redirect after a form (CSP3 §4.2.2),
// also to those of the application; so a form never redirects to another origin, but to a page that continues there.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { hourMs, type Clock } from '../kit/clock.ts';
import { addressOf } from '../http/markup.ts';
import type { TextCipher } from '../kit/keyring.ts';

export interface ExitsOptions {
  readonly cipher: TextCipher;
  readonly clock: Clock;
  /** Origin of this service; its pages need no exit. */
  readonly ownOrigin: string;
}

/** The members of a request that say how a browser came to it. */
export interface Navigation {
  readonly method?: string | undefined;
  readonly headers: { readonly 'sec-fetch-site'?: string | string[] | undefined };
}

/** Path of the page that continues at an application. */
export const exitPath = '/continue';
/** Time for which the page of an exit can be reloaded. */
const lifeMs = hourMs;

/** Seals and opens the targets of exits. A target was validated before: the page follows no others. */
export class Exits {
  readonly #options: ExitsOptions;

  constructor(options: ExitsOptions) {
    this.#options = options;
  }

  /** Redirects to a target. After a form, a target of another origin gets a page in between. */
  go(request: FastifyRequest, reply: FastifyReply, target: string): FastifyReply {
    return reply.redirect(this.addressFor(request, target), 303);
  }

  /** Returns where a redirect to a target goes: to the target, or to the page that continues there. */
  addressFor(request: Navigation, target: string): string {
    const isDirect = this.#isOwn(target) || !followsForm(request);
    return isDirect ? target : addressOf(exitPath, { to: this.#seal(target) });
  }

  /** Returns the target of a sealed text; `undefined` if it was not sealed here, or has expired. */
  open(sealed: string): URL | undefined {
    try {
      const [at = '', target = ''] = JSON.parse(this.#options.cipher.decrypt(sealed)) as string[];
      return Number(at) + lifeMs > this.#options.clock() ? new URL(target) : undefined;
    } catch {
      return undefined;
    }
  }

  #seal(target: string): string {
    return this.#options.cipher.encrypt(JSON.stringify([String(this.#options.clock()), target]));
  }

  #isOwn(target: string): boolean {
    return target.startsWith('/') || URL.parse(target)?.origin === this.#options.ownOrigin;
  }
}

/** Returns the host of an application's address; its scheme, if it belongs to a program on the device. */
export function placeOf(address: string): string {
  const { host, protocol } = URL.parse(address) ?? { host: '', protocol: address };
  return host === '' || !/^https?:$/.test(protocol) ? `${protocol}//` : host;
}

/** Returns whether a browser came to a request by a form of this service, also after further redirects. */
function followsForm({ method, headers }: Navigation): boolean {
  return method !== 'GET' || headers['sec-fetch-site'] === 'same-origin';
}
