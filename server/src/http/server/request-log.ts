// Logs requests: one line for each change and each failure, limited during a flood.
import type { IncomingMessage } from 'node:http';
import { LogController, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { secondMs, systemClock, type Clock } from '../../kit/clock.ts';
import type { ClientAddress } from '../limit/client-address.ts';
import { isSafe } from '../method.ts';

/** Statuses with which a flood is rejected. */
const floodStatuses = new Set([429, 503]);
/** Log lines per second for these statuses: enough to identify the source of a flood, too few to fill the disk. */
const linesPerSecond = 50;

/** Config of a route that changes nothing although its method is POST: it is logged like a read. */
export const changesNothing: object = { changesNothing: true } satisfies ReadConfig;

interface ReadConfig {
  changesNothing?: boolean;
}

const reasons = new WeakMap<IncomingMessage, object>();

/** Adds to the line of a request why it was refused, where the reply must not say so. The facts contain no secret. */
export function noteReason(
  request: IncomingMessage,
  facts: { readonly reason: string; readonly client?: string | undefined },
): void {
  reasons.set(request, facts);
}

/** Returns whether `noteReason` was called for a request. */
export function hasReason(request: IncomingMessage): boolean {
  return reasons.has(request);
}

/**
 * Logs each request that fails, was refused by a redirect or changes something at level info, and successful reads at
 * level debug. Of the rejections of a flood it logs the first ones of each second, and then the number of the others.
 */
export function logRequests(
  app: FastifyInstance,
  clientAddress: ClientAddress,
  clock: Clock = systemClock,
): void {
  const flood = new FloodLines(clock);
  app.addHook('onResponse', (request, reply, done) => {
    const isOrdinary = isRead(request) && reply.statusCode < 400 && !hasReason(request.raw);
    const level = isOrdinary ? 'debug' : 'info';
    if (level === 'info' || request.log.level === 'debug' || request.log.level === 'trace') {
      if (!floodStatuses.has(reply.statusCode) || flood.mayLog(request))
        request.log[level](
          { ...factsOf(request, reply), address: clientAddress.of(request).address },
          'request',
        );
    }
    done();
  });
}

function isRead({ method, routeOptions }: FastifyRequest): boolean {
  return isSafe(method) || (routeOptions.config as ReadConfig).changesNothing === true; // written above
}

/** Facts of a request that every log line about it has. They read nothing that can throw. */
function factsOf(request: FastifyRequest, reply: FastifyReply): object {
  return {
    request_id: request.id,
    method: request.method,
    path: request.url.split('?', 1)[0], // without the query, which may contain a token
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime * 10) / 10,
    ...reasons.get(request.raw),
  };
}

/**
 * The framework's log lines. All are off, because `logRequests` writes a line per request, except for one: if a hook
 * throws after the reply was sent, `logRequests` may not have run, and no other handler sees the error.
 */
export class FailureLog extends LogController {
  constructor() {
    super({ disableRequestLogging: true });
  }

  override requestCompleted(
    error: Error | null | undefined,
    request: FastifyRequest,
    reply: FastifyReply,
  ): void {
    if (error)
      request.log.error({ ...factsOf(request, reply), err: error }, 'A request failed after its reply');
  }
}

class FloodLines {
  readonly #clock: Clock;
  #second = 0;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns whether a line may be written in this second. Logs the number of lines that the last second omitted. */
  mayLog({ log }: FastifyRequest): boolean {
    const second = Math.floor(this.#clock() / secondMs);
    if (second !== this.#second) {
      const omitted = this.#count - linesPerSecond;
      if (omitted > 0) log.warn({ requests: omitted }, 'Too many rejected requests to log each one');
      this.#second = second;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count <= linesPerSecond;
  }
}
