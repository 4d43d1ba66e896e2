// Lets pages of allowed origins read replies (CORS, Fetch standard §3.3). Without allowed origins nothing is installed,
// and only pages of this service can read replies.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Origins } from './origins.ts';

/** Reply headers that a page may read in addition to the CORS-safelisted ones. */
const exposedHeaders = 'RateLimit, RateLimit-Policy, Retry-After';
/** Request headers that a page may send. */
const acceptedHeaders = 'Accept, Content-Type';
/** Two hours, the maximum for which Chromium caches the reply to a preflight. */
const preflightSeconds = 7200;

/** Adds CORS headers for requests of allowed origins. They name the origin and never use `*`. */
export function answerOrigins(app: FastifyInstance, origins: Origins): void {
  if (!origins.allowsOthers) return;
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('vary', 'Origin'); // also without an Origin: a cache must not return a reply for another origin
    const { origin } = request.headers;
    if (origin !== undefined && origins.isAllowed(origin)) {
      void reply
        .header('access-control-allow-origin', origin)
        .header('access-control-allow-credentials', 'true')
        .header('access-control-expose-headers', exposedHeaders);
    }
    done();
  });
}

/** Adds the allowed methods and headers to the reply to a preflight of an allowed origin. */
export function answerPreflight(request: FastifyRequest, reply: FastifyReply, methods: string): void {
  if (
    request.headers['access-control-request-method'] === undefined ||
    !reply.hasHeader('access-control-allow-origin')
  )
    return;
  void reply
    .header('access-control-allow-methods', methods)
    .header('access-control-allow-headers', acceptedHeaders)
    .header('access-control-max-age', preflightSeconds);
}
