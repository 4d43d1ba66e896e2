// Limits the number of pending requests on one connection. HTTP/1.1 allows a client to send requests without reading the
// replies (pipelining), and one packet can contain 1,500 of them, whose replies wait in memory until the client reads.
// Browsers and proxies send one request at a time.
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** Maximum number of pending requests on one connection; benchmark tools send ten or twenty. */
const maxPipelined = 32;

const pending = Symbol('pending requests');
type Connection = Socket & { [pending]?: number };

/** Installs the hook, which closes a connection with too many pending requests. */
export function boundPipelines(app: FastifyInstance): void {
  app.addHook('onRequest', ({ raw }, reply, done) => {
    const connection: Connection = raw.socket;
    const count = (connection[pending] ?? 0) + 1;
    connection[pending] = count;
    if (count <= maxPipelined) return done();
    // The parser continues with the requests that it has already read; each of them ends here at little cost.
    connection.destroy();
    reply.hijack();
  });
  app.addHook('onResponse', ({ raw }, _reply, done) => {
    const connection: Connection = raw.socket;
    connection[pending] = (connection[pending] ?? 1) - 1;
    done();
  });
}
