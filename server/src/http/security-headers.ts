// Headers that every reply carries, so that a browser does nothing with it but read it (OWASP ASVS 5.0 §3.4).
import type { FastifyInstance, FastifyReply } from 'fastify';
import { writesHeaders } from './response.ts';

export interface SecurityHeadersOptions {
  /** Served over https: browsers shall come by https alone from now on. */
  readonly isPublic: boolean;
  /** That holds for every name below ours as well. */
  readonly hstsSubdomains: boolean;
}

/** By their names in lower case. */
export type Headers = Readonly<Record<string, string>>;

/** Two years, as the preload lists of browsers ask. */
const hstsSeconds = 63_072_000;

/** The headers. A reply that sets one of them itself keeps its own. */
export function securityHeaders({ isPublic, hstsSubdomains }: SecurityHeadersOptions): Headers {
  return {
    'content-security-policy':
      "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY', // frame-ancestors, for browsers from before it
    'referrer-policy': 'no-referrer', // a path or query may carry a token
    'cross-origin-opener-policy': 'same-origin',
    // Stops <img> and <script> of other pages. CORS replies are not asked for it, so allowed origins lose nothing.
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    ...(isPublic && {
      'strict-transport-security': `max-age=${hstsSeconds}${hstsSubdomains ? '; includeSubDomains' : ''}`,
    }),
  };
}

/** Sets the headers on a reply whose response does not write them itself: that of another server, or of a test. */
export function secureReply(reply: FastifyReply, headers: Headers): void {
  if (!writesHeaders(reply.raw)) void reply.headers(headers);
}

/** Sets them on the replies of all routes. */
export function secureReplies(app: FastifyInstance, headers: Headers): void {
  app.addHook('onRequest', (_request, reply, done) => {
    secureReply(reply, headers);
    done();
  });
}
