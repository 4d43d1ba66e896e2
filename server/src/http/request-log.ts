import type { FastifyInstance } from 'fastify';
import type { ClientAddress } from './client-address.ts';

/** One line for each request that failed or changed something; reads that succeed are told at level debug. */
export function logRequests(app: FastifyInstance, clientAddress: ClientAddress): void {
  app.addHook('onResponse', (request, reply, done) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const level = isRead && reply.statusCode < 400 ? 'debug' : 'info';
    if (level === 'info' || request.log.level === 'debug' || request.log.level === 'trace') {
      const facts = {
        request_id: request.id,
        method: request.method,
        path: request.url.split('?', 1)[0], // the path alone: a query may carry a token
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        address: clientAddress.of(request).address,
      };
      request.log[level](facts, 'request');
    }
    done();
  });
}
