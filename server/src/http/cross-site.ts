// Refuses changes that a page of somebody else asks a person's browser for (CSRF, and login CSRF): for every route that
// changes something, whatever its door, before its body is read. Browsers say where a request comes from; a request that
// says nothing comes from a program, which has no cookies of a person to abuse.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from '../kit/problem.ts';
import { isSafe } from './method.ts';
import type { Origins } from './origins.ts';
import './problem.ts';

/** What is asked of the origins. */
export type OriginRule = Pick<Origins, 'isAllowed' | 'isOurs'>;

/** What tells where a request comes from. */
interface Provenance {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
}

/** The config of a route, where it is written that it is guarded. */
interface GuardConfig {
  isGuardedRead?: boolean;
}

/** Config of a route that reads and leaves a trace: no page of somebody else has a person's browser ask for it. */
export const guardedRead: object = { isGuardedRead: true } satisfies GuardConfig;

/** Refuses with `cross_site`. An error in here refuses as well: it goes the way of every error, which is not onwards. */
export function refuseCrossSite(app: FastifyInstance, origins: OriginRule): void {
  app.addHook('onRequest', (request, _reply, done) => {
    if (isTrustworthy(request.headers, origins) || isOpenRead(request)) done();
    else done(new Problem('cross_site'));
  });
}

function isOpenRead({ method, routeOptions }: FastifyRequest): boolean {
  const { isGuardedRead = false } = routeOptions.config as GuardConfig; // written by guardedRead
  return isSafe(method) && !isGuardedRead;
}

/** Sec-Fetch-Site first (W3C Fetch Metadata §2.3): no page can write it. Older browsers send Origin alone. */
function isTrustworthy({ host, origin, 'sec-fetch-site': site }: Provenance, origins: OriginRule): boolean {
  if (site === 'same-origin' || site === 'none') return true;
  if (origin === undefined) return site === undefined;
  // `null` is what sandboxed frames and data: pages call themselves; it is in no list.
  if (origins.isAllowed(origin)) return true;
  return site === undefined && origins.isOurs(origin, host);
}
