// Declares what modules add to the sign-in and sign-up pages: ways other than the password, and offers after a sign-in.
import type { FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import type { Translate } from '../http/pages.ts';

/** Marks the button of the way that was used last; empty texts for others. */
export interface WayMark {
  readonly attribute: string;
  /** Markup for the end of the button. It describes the button and is no part of its name. */
  readonly badge: string;
}

/** A way to sign in or to register other than the password, as the pages offer it below their form. */
export interface SignInWay {
  /** Its name in the cookie of the way that was used last. */
  readonly name: string;
  /**
   * Returns a form or a button of the class `way`. A button may send the form of the page, whose id is `sign-in`. `next`
   * is the address to return to; `mark` marks the button if the way was used last on this device.
   */
  readonly render: (request: FastifyRequest, next: string | undefined, mark: WayMark) => string;
}

/** A page that is offered after a sign-in with a password, if the script of the page says that the browser is able to. */
export interface SignInOffer {
  /** What the script tests, as the value of `data-offer`. */
  readonly name: string;
  readonly path: string;
  /** Returns false if the browser was asked recently. */
  readonly isDue: (request: FastifyRequest) => boolean;
}

/** Returns the mark of a way. */
export function markOf(t: Translate, name: string, lastUsed: string | undefined): WayMark {
  if (name !== lastUsed) return { attribute: '', badge: '' };
  const badge = html`<span class="badge" id="last-used" aria-hidden="true"
    >${t('page.sign_in.last_used')}</span
  >`;
  return { attribute: 'aria-describedby="last-used"', badge };
}

/** Returns the markup of the ways, in their order. The style sheet shows "or" only above a way that is visible. */
export function renderWays(
  t: Translate,
  ways: readonly SignInWay[],
  request: FastifyRequest,
  { next, lastUsed }: { readonly next: string | undefined; readonly lastUsed?: string | undefined },
): string {
  if (ways.length === 0) return '';
  return html`<p class="or"><span>${t('page.sign_in.or')}</span></p>
    !${ways.map(({ name, render }) => render(request, next, markOf(t, name, lastUsed))).join('')}`;
}

/** What pages offer after a sign-in with a password. */
export class Offers {
  readonly #offers: readonly SignInOffer[];

  /** The array is complete before the first request. */
  constructor(offers: readonly SignInOffer[]) {
    this.#offers = offers;
  }

  /** Returns the hidden input by which the script says that the browser can take an offer; empty if none is due. */
  input(request: FastifyRequest): string {
    const due = this.#offers.find(({ isDue }) => isDue(request));
    return due === undefined
      ? ''
      : html`<input type="hidden" name="offer" value="" data-offer="${due.name}" />`;
  }

  /** Returns the path of the offer that the script named; `undefined` if it is not due. */
  pathOf(name: string | undefined, request: FastifyRequest): string | undefined {
    return this.#offers.find((offer) => offer.name === name && offer.isDue(request))?.path;
  }
}
