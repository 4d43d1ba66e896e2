import type { FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import type { Translate } from '../http/pages.ts';

/** A way to sign in or to register other than the password, as the pages offer it below their form. */
export interface SignInWay {
  /**
   * Returns a form or a button of the class `way`. A button may send the form of the page, whose id is `sign-in`. `next`
   * is the address to return to.
   */
  readonly render: (request: FastifyRequest, next: string | undefined) => string;
}

/** Returns the markup of the ways, in their order. The style sheet shows "or" only above a way that is visible. */
export function renderWays(
  t: Translate,
  ways: readonly SignInWay[],
  request: FastifyRequest,
  next: string | undefined,
): string {
  if (ways.length === 0) return '';
  return html`<p class="or"><span>${t('page.sign_in.or')}</span></p>
    !${ways.map(({ render }) => render(request, next)).join('')}`;
}
