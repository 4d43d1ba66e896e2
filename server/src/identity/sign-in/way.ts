import type { FastifyRequest } from 'fastify';

/** A way to sign in or to register besides the password, as the pages offer it. */
export interface SignInWay {
  /** `form`: controls inside the form of the password. `below`: a form of its own. */
  readonly place: 'form' | 'below';
  /** Markup. `next` is the address to return to. */
  readonly render: (request: FastifyRequest, next: string | undefined) => string;
}

/** Markup of the ways at one place, in their order. */
export function renderWays(
  ways: readonly SignInWay[],
  place: SignInWay['place'],
  request: FastifyRequest,
  next: string | undefined,
): string {
  return ways
    .filter((way) => way.place === place)
    .map(({ render }) => render(request, next))
    .join('');
}
