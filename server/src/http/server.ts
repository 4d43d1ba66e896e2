// The bare HTTP server: limits of time and size, request ids. What is answered on it is app/'s.
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Socket } from 'node:net';
import { secondMs } from '../kit/clock.ts';
import { LogThrottle } from '../kit/log-throttle.ts';
import { bodyBytes } from './body.ts';
import { answerClientError } from './client-error.ts';
import { errorHandler } from './problem-handler.ts';
import { responseClass, type ResponseRule } from './response.ts';
import { secureReply } from './security-headers.ts';

/** How long a connection may take, in milliseconds. */
export interface ConnectionTimes {
  /** From the first byte of a request to its last. */
  readonly requestMs: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headersMs: number;
  /** How often both are checked. */
  readonly checkMs: number;
  /** Without a byte in either direction while a request is under way. */
  readonly stillMs: number;
}

/**
 * Together these close the connection of a slow sender within 11 s. `stillMs` closes that of a client which does not read
 * its reply: Node waits twice as long while it writes. No reply of the service takes so long.
 */
export const connectionTimes: ConnectionTimes = {
  requestMs: 10 * secondMs,
  headersMs: 5 * secondMs,
  checkMs: secondMs,
  stillMs: 7 * secondMs,
};
const keepAliveMs = 65 * secondMs; // longer than the idle minute of the usual proxies, so that they close first
/** How long a stop waits for the first byte of a connection. */
const silentMs = secondMs / 2;
const maxConnections = 10_000;
const headerBytes = 16 * 1024;
/** Longest parameter in a path: a UUID and some. */
const pathParameterCharacters = 100;

/** Requests of this process are numbered; the prefix tells processes and starts apart. */
function requestIds(): () => string {
  const prefix = crypto.randomUUID().slice(0, 8);
  let last = 0;
  return () => `${prefix}-${(last += 1).toString(36)}`;
}

/** The log as its own child: one for each request would cost a tenth of a session check. The request's id stands in the line. */
function childless(log: FastifyBaseLogger): FastifyBaseLogger {
  const own: FastifyBaseLogger = Object.assign(Object.create(log) as FastifyBaseLogger, { child: () => own }); // all else is the log's
  return own;
}

/** @param times Replaced by tests, which do not wait as long. */
export function createServer(
  log: FastifyBaseLogger,
  rule: ResponseRule,
  times: ConnectionTimes = connectionTimes,
): FastifyInstance {
  const handle = errorHandler();
  const app = Fastify({
    loggerInstance: childless(log),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: requestIds(),
    // An address that cannot be decoded.
    frameworkErrors: (error, request, reply) => {
      secureReply(reply, rule.headers);
      void handle(error, request, reply);
    },
    clientErrorHandler: answerClientError(rule.headers, log),
    return503OnClosing: false, // the gates answer, with a problem
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
      insecureHTTPParser: false, // said here, no flag of the runtime can loosen it (request smuggling)
      requireHostHeader: false, // the gates see to it
      ServerResponse: responseClass(rule),
    },
  });
  refuseConnectionsBeyond(app, maxConnections, log);
  closeSilentConnections(app);
  // An expectation that we do not know is ignored (RFC 9110 §10.1.1), where node would answer by itself.
  app.server.on('checkExpectation', (request, response) => app.routing(request, response));
  return app;
}

/**
 * At a stop, ends the connections on which nothing was ever sent: browsers and proxies open them in advance, and the
 * server would wait for each. What is on its way gets a moment to arrive, and is then answered.
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

/** Neither too many connections nor too few file descriptors stop the service: it goes on with those that it has. */
function refuseConnectionsBeyond(app: FastifyInstance, most: number, log: FastifyBaseLogger): void {
  app.server.maxConnections = most;
  const refused = new LogThrottle();
  const tell = (error?: Error): void => {
    const count = refused.take('connection');
    if (count > 0) log.warn({ count, err: error }, 'Connections were rejected: too many are open');
  };
  app.server.on('drop', () => tell());
  app.server.on('error', (error: NodeJS.ErrnoException) => {
    if (error.syscall !== 'listen') tell(error); // that of listen() reaches its caller
  });
}
