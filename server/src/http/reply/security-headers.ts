// Sets the security headers of every reply, which restrict what a browser does with it (OWASP ASVS 5.0 §3.4).
import type { FastifyInstance, FastifyReply } from 'fastify';
import { writesHeaders } from './response.ts';

export interface SecurityHeadersOptions {
  /** Served over https: browsers may only use https from then on (HSTS). */
  readonly isPublic: boolean;
  /** HSTS includes all subdomains. */
  readonly hstsSubdomains: boolean;
}

/** Headers with names in lower case. */
export type Headers = Readonly<Record<string, string>>;

/** Two years, as the preload lists of browsers require. */
const hstsSeconds = 63_072_000;

/** Returns the security headers. A value that a reply sets itself takes precedence. */
export function securityHeaders({ isPublic, hstsSubdomains }: SecurityHeadersOptions): Headers {
  return {
    'content-security-policy':
      "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY', // for browsers without frame-ancestors
    'referrer-policy': 'no-referrer', // a path or query may contain a token
    'cross-origin-opener-policy': 'same-origin',
    // Blocks <img> and <script> of other sites. Browsers ignore it for CORS requests, so allowed origins are not
    // affected.
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
    'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    ...(isPublic && {
      'strict-transport-security': `max-age=${hstsSeconds}${hstsSubdomains ? '; includeSubDomains' : ''}`,
    }),
  };
}

/** Sets the headers on a reply whose response does not write them itself, as on another server or in a test. */
export function secureReply(reply: FastifyReply, headers: Headers): void {
  if (!writesHeaders(reply.raw)) void reply.headers(headers);
}

/** Sets the headers on the replies of all routes. */
export function secureReplies(app: FastifyInstance, headers: Headers): void {
  app.addHook('onRequest', (_request, reply, done) => {
    secureReply(reply, headers);
    done();
  });
}
