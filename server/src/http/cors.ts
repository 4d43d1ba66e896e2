// Lets pages of the applications that the operator named read what we answer them (Fetch standard §3.3, CORS). Without
// any, nothing here is installed and no page but ours reads anything.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Origins } from './origins.ts';

/** Headers of a reply that a page may read beside the harmless ones. */
const exposedHeaders = 'RateLimit, RateLimit-Policy, Retry-After';
/** Headers that a page may send beside the harmless ones. */
const acceptedHeaders = 'Accept, Content-Type';
/** Two hours, the most that Chromium keeps a preflight's answer. */
const preflightSeconds = 7200;

/** Tells an allowed origin, by its own name and never by `*`, that its page may read the reply. */
export function answerOrigins(app: FastifyInstance, origins: Origins): void {
  if (!origins.allowsOthers) return;
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('vary', 'Origin'); // also where there is none: a cache must not give the one reply for the other
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

/** Completes the reply to a preflight, if its origin was let in: which methods the path has. */
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
