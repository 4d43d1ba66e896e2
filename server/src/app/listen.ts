// Decides where `serve` listens and which address it prints. `localhost` is both loopback addresses, because a browser
// may try either. Passkeys work at the name `localhost` and at no IP address: the RP ID is a domain (WebAuthn Level 3
// §5.1.3).
import type { FastifyInstance } from 'fastify';
import { createServer, type ListenOptions, type Server } from 'node:net';
import type { Logger } from 'pino';
import type { Log } from '../kit/log.ts';

/** The addresses of `localhost`, as a URL has them. */
const addresses = new Set(['127.0.0.1', '[::1]']);

/** Errors of a machine without IPv6. */
const absent = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL']);

/** Returns the origin for people of a service that listens on the host. */
export function originOf(host: string, port: number): string {
  const name = host.includes(':') ? `[${host.replaceAll(/[[\]]/g, '')}]` : host;
  return `http://${addresses.has(name) ? 'localhost' : name}:${port}`;
}

/** Returns the port on which the service listens; `undefined` if it does not listen on TCP. */
export function boundPort({ server }: FastifyInstance): number | undefined {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : undefined;
}

/** A listening service. */
export interface Listening {
  readonly port: number;
  /** Closes the app: stops listening, and resolves when the open requests are finished. */
  readonly close: () => Promise<void>;
}

/**
 * Listens on the host; `localhost` is both loopback addresses.
 * @throws {NodeJS.ErrnoException} of listen(2) if the address cannot be used.
 */
export async function listen(
  app: FastifyInstance,
  { host, port, log }: { readonly host: string; readonly port: number; readonly log: Logger },
): Promise<Listening> {
  const { level } = log;
  if (level === 'info') log.level = 'warn'; // the framework's own line would repeat the one of `serve`
  try {
    if (host === 'localhost') return await listenOnLoopback(app, port, log);
    await app.listen({ host, port });
  } finally {
    log.level = level;
  }
  return { port: boundPort(app) ?? port, close: async () => app.close() };
}

/** Listens on 127.0.0.1 and, if the machine has it, on ::1 at the same port. */
export async function listenOnLoopback(app: FastifyInstance, port: number, log: Log): Promise<Listening> {
  await app.listen({ host: '127.0.0.1', port });
  const bound = boundPort(app) ?? port;
  const second = secondServer(app);
  const error = await listening(second, { host: '::1', port: bound, ipv6Only: true });
  if (error?.code !== undefined && !absent.has(error.code))
    log.warn(
      { address: '::1', port: bound, code: error.code },
      `Another program may answer at http://localhost:${bound}, because the service could not listen on [::1]:${bound}. Open http://127.0.0.1:${bound}, or set PORT to another port`,
    );
  return {
    port: bound,
    close: async () => {
      // The app closes idle connections of both addresses, but waits only for the requests of the first.
      const isSecondClosed = new Promise((resolve) => second.close(resolve));
      await app.close();
      await isSecondClosed;
    },
  };
}

/** Returns a server whose connections the HTTP server of the app takes as its own, with all of its limits. */
export function secondServer(app: FastifyInstance): Server {
  const second = createServer((socket) => app.server.emit('connection', socket));
  second.maxConnections = app.server.maxConnections;
  second.on('drop', (dropped) => app.server.emit('drop', dropped));
  // A failing accept(2), for example without free file descriptors. Without a listener, it would end the process.
  second.on('error', (error) => second.listening && app.server.emit('error', error));
  return second;
}

/** Resolves when the server listens, or to the error for which it cannot. */
function listening(server: Server, options: ListenOptions): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    server.once('error', resolve);
    server.listen(options, () => {
      server.off('error', resolve);
      resolve(undefined);
    });
  });
}
