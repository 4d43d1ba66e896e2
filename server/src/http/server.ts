// The bare HTTP server: limits of time and size, request ids. What is answered on it is app/'s.
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { secondMs } from '../kit/clock.ts';
import { bodyBytes } from './body.ts';

/** A whole request, its headers, and how often both are looked at: together they cut a slow sender within 11 s. */
const requestTimeoutMs = 10 * secondMs;
const headersTimeoutMs = 5 * secondMs;
const connectionsCheckMs = secondMs;
const keepAliveMs = 65 * secondMs; // longer than the idle minute of the usual proxies, so that they close first
const mostConnections = 10_000;
const headerBytes = 16 * 1024;
/** Longest parameter in a path: a UUID and some. */
const pathParameterCharacters = 100;

/** Requests of this process are numbered; the prefix tells processes and starts apart. */
function requestIds(): () => string {
  const prefix = crypto.randomUUID().slice(0, 8);
  let last = 0;
  return () => `${prefix}-${(last += 1).toString(36)}`;
}

export function createServer(log: FastifyBaseLogger): FastifyInstance {
  const app = Fastify({
    loggerInstance: log,
    // One log for all requests: a child for each costs more than the session check itself. The id stands in the line.
    childLoggerFactory: (logger) => logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIds(),
    bodyLimit: bodyBytes,
    requestTimeout: requestTimeoutMs,
    keepAliveTimeout: keepAliveMs,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: pathParameterCharacters },
    http: { headersTimeout: headersTimeoutMs, connectionsCheckingInterval: connectionsCheckMs, maxHeaderSize: headerBytes },
  });
  app.server.maxConnections = mostConnections;
  return app;
}
