import type { FastifyRequest } from 'fastify';

/** A way to sign in or to register other than the password, as the pages offer it. */
export interface SignInWay {
  /** `form`: controls inside the password form. `below`: a separate form. */
  readonly place: 'form' | 'below';
  /** Returns markup. `next` is the address to return to. */
  readonly render: (request: FastifyRequest, next: string | undefined) => string;
}

/** Returns the markup of the ways at one place, in their order. */
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
