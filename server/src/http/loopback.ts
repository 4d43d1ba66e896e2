// Listens on both loopback addresses. A browser looks up `localhost` by itself and may try either of them, and passkeys
// work at the name `localhost` but at no address (WebAuthn Level 3, section 5.1.3: the RP ID is a domain).
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { createServer } from 'node:net';
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

/**
 * Returns the same address at the name `localhost` if a browser opens a page at an address of this machine; `undefined`
 * for other requests. Programs are not redirected: they send no Fetch Metadata.
 */
export function addressAtLocalhost({ method, headers, url }: FastifyRequest): string | undefined {
  if (
    method !== 'GET' ||
    headers['sec-fetch-mode'] !== 'navigate' ||
    headers['sec-fetch-dest'] !== 'document'
  )
    return undefined;
  const at = URL.parse(`http://${headers.host}`);
  if (at === null || !addresses.has(at.hostname)) return undefined;
  at.hostname = 'localhost';
  return `${at.origin}${url}`;
}
