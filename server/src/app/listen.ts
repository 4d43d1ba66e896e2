// Where `serve` listens, and what it prints. `localhost` is both loopback addresses: a browser may try either of them. Passkeys
// work at the name `localhost` and at no address (WebAuthn Level 3, section 5.1.3: the RP ID is a domain).
import type { FastifyInstance } from 'fastify';
import { createServer } from 'node:net';
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

/**
 * Listens on the host; `localhost` is both loopback addresses. Resolves to the port.
 * @throws {NodeJS.ErrnoException} of listen(2) if the address cannot be used.
 */
export async function listen(
  app: FastifyInstance,
  { host, port, log }: { readonly host: string; readonly port: number; readonly log: Logger },
): Promise<number> {
  const { level } = log;
  if (level === 'info') log.level = 'warn'; // the framework's own line would repeat the one of `serve`
  try {
    await (host === 'localhost' ? listenOnLoopback(app, port, log) : app.listen({ host, port }));
  } finally {
    log.level = level;
  }
  return boundPort(app) ?? port;
}

/** Listens on 127.0.0.1 and, if the machine has it, on ::1 at the same port. Closing the app closes both. */
export async function listenOnLoopback(app: FastifyInstance, port: number, log: Log): Promise<void> {
  await app.listen({ host: '127.0.0.1', port });
  const bound = boundPort(app) ?? port;
  // The HTTP server takes the connections of the second address as its own, with all of its limits.
  const second = createServer((socket) => app.server.emit('connection', socket));
  app.server.once('close', () => second.close());
  await new Promise<void>((resolve) => {
    second.once('listening', resolve);
    second.once('error', ({ code = '' }: NodeJS.ErrnoException) => {
      if (!absent.has(code))
        log.warn(
          { address: '::1', port: bound, code },
          `Another program may answer at http://localhost:${bound}, because the service could not listen on [::1]:${bound}. Open http://127.0.0.1:${bound}, or set PORT to another port`,
        );
      resolve();
    });
    second.listen({ host: '::1', port: bound, ipv6Only: true });
  });
}
