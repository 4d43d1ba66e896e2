import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { secondMs, systemClock, type Clock } from '../kit/clock.ts';
import type { ClientAddress } from './client-address.ts';

/** Statuses of the refusals that a flood is met with. */
const floodStatuses = new Set([429, 503]);
/** Lines about them that are written in a second: enough to see who floods, and a flood does not fill the disk. */
const linesPerSecond = 50;

/**
 * One line for each request that failed or changed something; reads that succeed are told at level debug. Of the
 * refusals of a flood the first ones of each second are told, and then how many more there were.
 */
export function logRequests(
  app: FastifyInstance,
  clientAddress: ClientAddress,
  clock: Clock = systemClock,
): void {
  const flood = new FloodLines(clock);
  app.addHook('onResponse', (request, reply, done) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const level = isRead && reply.statusCode < 400 ? 'debug' : 'info';
    if (level === 'info' || request.log.level === 'debug' || request.log.level === 'trace') {
      if (!floodStatuses.has(reply.statusCode) || flood.mayTell(request))
        request.log[level](factsOf(request, reply, clientAddress), 'request');
    }
    done();
  });
}

function factsOf(request: FastifyRequest, reply: FastifyReply, clientAddress: ClientAddress): object {
  return {
    request_id: request.id,
    method: request.method,
    path: request.url.split('?', 1)[0], // the path alone: a query may carry a token
    status: reply.statusCode,
    ms: Math.round(reply.elapsedTime * 10) / 10,
    address: clientAddress.of(request).address,
  };
}

class FloodLines {
  readonly #clock: Clock;
  #second = 0;
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False beyond the lines of this second; what was left out in the last one is told in one line. */
  mayTell({ log }: FastifyRequest): boolean {
    const second = Math.floor(this.#clock() / secondMs);
    if (second !== this.#second) {
      const untold = this.#count - linesPerSecond;
      if (untold > 0) log.warn({ requests: untold }, 'Too many rejected requests to log each one');
      this.#second = second;
      this.#count = 0;
    }
    this.#count += 1;
    return this.#count <= linesPerSecond;
  }
}
