// Remembers in the browser which mails it requested and when, so that the page for a code can be opened again and says
// when another mail can be requested. Nothing in it depends on whether an address has an account.
import type { FastifyReply } from 'fastify';
import { dayMs, secondMs, type Clock } from '../../kit/clock.ts';
import type { TextCipher } from '../../kit/keyring.ts';
import type { CookieScope } from './cookie.ts';
import { SealedCookie } from './sealed-cookie.ts';

/** A mail that this browser requested. */
export interface RequestedMail {
  /** The address as it was typed. */
  readonly email: string;
  /** Seconds after which another mail to this address can be requested; 0 if it can be now. */
  readonly waitSeconds: number;
  /** The session that the mail opens ends with the browser. */
  readonly endsWithBrowser: boolean;
}

interface StoredRequest {
  readonly email: string;
  readonly at: number;
  /** Requests for this address, including this one. */
  readonly count: number;
  readonly endsWithBrowser?: true;
}

export interface RequestedMailsOptions {
  readonly cipher: TextCipher;
  readonly clock: Clock;
  readonly scope: CookieScope;
  /** Milliseconds between two mails of a kind, after the first, the second, … request. */
  readonly pausesMs: readonly number[];
}

/** Life of the cookie: that of the longest-lived mail. */
const lifeMs = dayMs;
/** Holds an address of 254 characters for each of four kinds. */
const cookieBytes = 1536;

export class RequestedMails {
  readonly #clock: Clock;
  readonly #pausesMs: readonly number[];
  readonly #cookie: SealedCookie<Readonly<Record<string, StoredRequest>>>;

  constructor({ clock, pausesMs, ...options }: RequestedMailsOptions) {
    this.#clock = clock;
    this.#pausesMs = pausesMs;
    this.#cookie = new SealedCookie({ name: 'requested', bytes: cookieBytes, lifeMs, ...options });
  }

  /** Remembers a request for a mail. It replaces an earlier one for another address. */
  leave(
    reply: FastifyReply,
    header: string | undefined,
    { kind }: { readonly kind: string },
    { email, endsWithBrowser }: Omit<RequestedMail, 'waitSeconds'>,
  ): void {
    const { [kind]: former, ...others } = this.#cookie.open(header) ?? {};
    const count = former?.email === email ? former.count + 1 : 1;
    const own = {
      [kind]: { email, at: this.#clock(), count, ...(endsWithBrowser && { endsWithBrowser }) },
    };
    const all = { ...others, ...own };
    this.#cookie.seal(reply, this.#cookie.fits(all) ? all : own);
  }

  /** Forgets the mail of a kind, because its code was used. */
  forget(reply: FastifyReply, header: string | undefined, { kind }: { readonly kind: string }): void {
    const { [kind]: done, ...others } = this.#cookie.open(header) ?? {};
    if (done !== undefined) this.#cookie.seal(reply, others);
  }

  /** Returns the last mail of a kind that the browser requested; `undefined` without one. */
  read(header: string | undefined, { kind }: { readonly kind: string }): RequestedMail | undefined {
    const last = this.#cookie.open(header)?.[kind];
    if (last === undefined) return undefined;
    const pauseMs = this.#pausesMs[Math.min(last.count, this.#pausesMs.length) - 1] ?? 0;
    const waitMs = Math.min(last.at + pauseMs - this.#clock(), pauseMs);
    const { email, endsWithBrowser = false } = last;
    return { email, endsWithBrowser, waitSeconds: Math.max(0, Math.ceil(waitMs / secondMs)) };
  }
}
