// How many requests one connection may have under way. HTTP/1.1 lets a client send the next before it has read the last
// reply, and the parser hands over all that a packet holds: 1,500 of them, whose replies wait in memory for as long as
// the client does not read. Browsers and proxies send one at a time.
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** Requests under way on one connection; some programs that measure speed send ten or twenty at once. */
const maxPipelined = 32;

const underWay = Symbol('requests under way');
type Connection = Socket & { [underWay]?: number };

/** Ends a connection that has too many. */
export function boundPipelines(app: FastifyInstance): void {
  app.addHook('onRequest', ({ raw }, reply, done) => {
    const connection: Connection = raw.socket;
    const count = (connection[underWay] ?? 0) + 1;
    connection[underWay] = count;
    if (count <= maxPipelined) return done();
    // Nobody is left to be answered, and the parser goes on with what it has: each of those costs no more than this.
    connection.destroy();
    reply.hijack();
  });
  app.addHook('onResponse', ({ raw }, _reply, done) => {
    const connection: Connection = raw.socket;
    connection[underWay] = (connection[underWay] ?? 1) - 1;
    done();
  });
}
