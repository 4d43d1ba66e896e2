// Rejects changes that a page of another site requests from a user's browser (CSRF and login CSRF), on every route that
// changes something, before the body is read. Browsers state the origin of a request; a request without this information
// comes from a program, which has no cookies of a user to abuse.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from '../../kit/problem.ts';
import { isSafe } from '../method.ts';
import type { Origins } from './origins.ts';
import '../problem.ts';

/** The methods of `Origins` that are used here. */
export type OriginRule = Pick<Origins, 'isAllowed' | 'isOurs'>;

/** The headers that state the origin of a request. */
interface Provenance {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
}

/** Route config that marks a guarded read, a route for any site, or one of another protocol. */
interface GuardConfig {
  isGuardedRead?: boolean;
  isForAnySite?: boolean;
  isOtherProtocol?: boolean;
}

/** Config of a GET route that also changes something: requests from pages of other sites are rejected. */
export const guardedRead: object = { isGuardedRead: true } satisfies GuardConfig;

/**
 * Config of a route that pages of all sites may call, because it reads no cookie: a request with the cookies of a user has
 * the same answer as one without.
 */
export const forAnySite: object = { isForAnySite: true } satisfies GuardConfig;

/** Config of a route whose replies another protocol defines, such as OAuth 2.0: they are no problem documents. */
export const otherProtocol: object = { isOtherProtocol: true } satisfies GuardConfig;

/** Returns what the config of a route says about the sites that may call it, and about its replies. */
export function sitesOf(config: unknown): Required<Pick<GuardConfig, 'isForAnySite' | 'isOtherProtocol'>> {
  const { isForAnySite = false, isOtherProtocol = false } = (config ?? {}) as GuardConfig; // written above
  return { isForAnySite, isOtherProtocol };
}

/**
 * Installs the hook, which rejects a request with `cross_site`. Fails closed: if the hook throws, the request is
 * rejected.
 */
export function refuseCrossSite(app: FastifyInstance, origins: OriginRule): void {
  app.addHook('onRequest', (request, _reply, done) => {
    if (isTrustworthy(request.headers, origins) || isOpen(request)) done();
    else done(new Problem('cross_site'));
  });
}

function isOpen({ method, routeOptions }: FastifyRequest): boolean {
  const { isGuardedRead = false, isForAnySite = false } = routeOptions.config as GuardConfig; // written above
  return isForAnySite || (isSafe(method) && !isGuardedRead);
}

/** Sec-Fetch-Site takes precedence (W3C Fetch Metadata §2.3): no page can set it. Older browsers send only Origin. */
function isTrustworthy({ host, origin, 'sec-fetch-site': site }: Provenance, origins: OriginRule): boolean {
  if (site === 'same-origin' || site === 'none') return true;
  if (origin === undefined) return site === undefined;
  // Sandboxed frames and data: pages send the origin `null`, which is never allowed.
  if (origins.isAllowed(origin)) return true;
  return site === undefined && origins.isOurs(origin, host);
}
