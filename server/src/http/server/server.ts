// Creates the HTTP server, with limits of time and size and with request ids. The routes are added in app/.
import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { secondMs } from '../../kit/clock.ts';
import { LogThrottle } from '../../kit/log-throttle.ts';
import { bodyBytes } from '../body.ts';
import { answerClientError } from '../reply/client-error.ts';
import { errorHandler } from '../reply/problem-handler.ts';
import { FailureLog } from './request-log.ts';
import { pendingResponse, responseClass, type ResponseRule } from '../reply/response.ts';
import { secureReply } from '../reply/security-headers.ts';

/** Time limits of a connection, in milliseconds. */
export interface ConnectionTimes {
  /** From the first byte of a request to its last. */
  readonly requestMs: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headersMs: number;
  /** Interval at which both are checked. */
  readonly checkMs: number;
  /** Time without a byte in either direction during a request, except while the service works on it. */
  readonly stillMs: number;
  /** Time for which the service works on a request, at most. */
  readonly workMs: number;
}

/**
 * The default limits. Together they close the connection of a slow sender within 11 s. `stillMs` also closes the
 * connection of a client that does not read its reply; Node waits twice as long while it writes. Two hashes and the
 * wait for a lock of the database take up to 17 s, so `workMs` only ends what hangs.
 */
export const connectionTimes: ConnectionTimes = {
  requestMs: 10 * secondMs,
  headersMs: 5 * secondMs,
  checkMs: secondMs,
  stillMs: 7 * secondMs,
  workMs: 60 * secondMs,
};
const keepAliveMs = 65 * secondMs; // longer than the idle timeout of common proxies (60 s), so that they close first
/** How long a stop waits for the first byte on a connection. */
const silentMs = secondMs / 2;
const maxConnections = 10_000;
const headerBytes = 16 * 1024;
/** Maximum length of a path parameter: more than a UUID. */
const pathParameterCharacters = 100;

/** Returns a generator of request ids: a number with a random prefix that identifies the process. */
function requestIds(): () => string {
  const prefix = crypto.randomUUID().slice(0, 8);
  let last = 0;
  return () => `${prefix}-${(last += 1).toString(36)}`;
}

/**
 * Returns a log that is its own child: a child per request would cost a tenth of a session check. Log lines have the
 * request id.
 */
function withoutChildren(log: FastifyBaseLogger): FastifyBaseLogger {
  const own: FastifyBaseLogger = Object.assign(Object.create(log) as FastifyBaseLogger, { child: () => own }); // all other methods are those of the log
  return own;
}

/**
 * Creates the server.
 * @param times Time limits; tests pass shorter ones.
 */
export function createServer(
  log: FastifyBaseLogger,
  rule: ResponseRule,
  times: ConnectionTimes = connectionTimes,
): FastifyInstance {
  const handle = errorHandler();
  const app = Fastify({
    loggerInstance: withoutChildren(log),
    logController: new FailureLog(),
    genReqId: requestIds(),
    // Handles a URL that cannot be decoded.
    frameworkErrors: (error, request, reply) => {
      secureReply(reply, rule.headers);
      void handle(error, request, reply);
    },
    clientErrorHandler: answerClientError(rule.headers, log),
    return503OnClosing: false, // the request hooks answer with a problem
    bodyLimit: bodyBytes,
    connectionTimeout: times.stillMs,
    requestTimeout: times.requestMs,
    keepAliveTimeout: keepAliveMs,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: pathParameterCharacters },
    http: {
      headersTimeout: times.headersMs,
      connectionsCheckingInterval: times.checkMs,
      maxHeaderSize: headerBytes,
      insecureHTTPParser: false, // set explicitly, so that no flag of the runtime can turn it on (request smuggling)
      requireHostHeader: false, // the request hooks check it
      ServerResponse: responseClass(rule),
    },
  });
  limitConnections(app, maxConnections, log);
  closeSilentConnections(app);
  closeStillConnections(app, times);
  // An unknown expectation is ignored (RFC 9110 §10.1.1); by default Node would answer it with 417.
  app.server.on('checkExpectation', (request, response) => app.routing(request, response));
  return app;
}

/**
 * At a stop, closes connections on which no byte was ever received: browsers and proxies open them in advance, and the
 * server would wait for each of them. A short delay lets a request arrive that is already on its way.
 */
function closeSilentConnections(app: FastifyInstance): void {
  const sockets = new Set<Socket>();
  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const endSilent = (): void => {
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  };
  app.addHook('preClose', (done) => {
    setTimeout(endSilent, silentMs).unref();
    done();
  });
}

/**
 * Closes connections that were still for too long; Node.js leaves that to a listener. While the service works on a
 * request, its client has to wait: closing the connection would lose the reply, but not what the request changes.
 */
function closeStillConnections(app: FastifyInstance, { stillMs, workMs }: ConnectionTimes): void {
  const begunAt = new WeakMap<ServerResponse, number>();
  app.server.on('timeout', (socket: Socket) => {
    const now = performance.now();
    const pending = pendingResponse(socket);
    const since = (pending && begunAt.get(pending)) ?? now - stillMs;
    if (pending === undefined || now - since >= workMs) {
      socket.destroy();
      return;
    }
    begunAt.set(pending, since);
    socket.setTimeout(stillMs);
  });
}

/**
 * Limits the number of connections. With too many connections or too few file descriptors the open ones are still
 * served.
 */
function limitConnections(app: FastifyInstance, max: number, log: FastifyBaseLogger): void {
  app.server.maxConnections = max;
  const throttle = new LogThrottle();
  const logRejection = (error?: Error): void => {
    const count = throttle.take('connection');
    if (count > 0) log.warn({ count, err: error }, 'Connections were rejected: too many are open');
  };
  app.server.on('drop', () => logRejection());
  app.server.on('error', (error: NodeJS.ErrnoException) => {
    if (app.server.listening) logRejection(error); // an error of listen() reaches its caller
  });
}
