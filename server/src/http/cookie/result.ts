// Remembers, in the browser, what its last form did. A page says so to this browser only: anybody can send a link that
// names a result.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { minuteMs } from '../../kit/clock.ts';
import { Cookie, type CookieScope } from './cookie.ts';

/** The result of a form whose browser sends no cookies, which is shown to such a browser. */
export const withoutCookies = 'no_cookies';

/** Time for which a result is shown again. */
const lifeMs = 15 * minuteMs;

export class Results {
  readonly #cookie: Cookie;

  constructor(scope: CookieScope) {
    this.#cookie = new Cookie({ name: 'done', scope, accepts: (value) => /^[\w.~-]{1,100}$/.test(value) });
  }

  /** Sets the cookie if the address of a page names a result. It replaces the former one. */
  leave(reply: FastifyReply, target: string): void {
    const { pathname, searchParams } = new URL(target, 'http://path.invalid');
    const name = searchParams.get('done');
    if (target.startsWith('/') && name !== null && name !== withoutCookies)
      void reply.header('set-cookie', this.#cookie.write(valueOf(pathname, name), lifeMs));
  }

  /** Returns whether a form of the browser had this result, which the address of a page names. */
  has({ headers, routeOptions }: FastifyRequest, name: string): boolean {
    if (name === withoutCookies) return headers.cookie === undefined;
    return this.#cookie.read(headers.cookie) === valueOf(routeOptions.url ?? '', name);
  }
}

function valueOf(path: string, name: string): string {
  return `${path.replaceAll('/', '.')}~${name}`;
}

/**
 * Returns the result that a redirect to an earlier step names if a page of this service led to the request, but the
 * browser sent no cookie at all: it may block them, and the person would go round in circles.
 */
export function missingCookies({ headers }: FastifyRequest): string | undefined {
  const isWithout = headers.cookie === undefined && headers['sec-fetch-site'] === 'same-origin';
  return isWithout ? withoutCookies : undefined;
}
