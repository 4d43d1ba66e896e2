// Checks the address to listen on for `bienvenue doctor`.
import { connect, isIP } from 'node:net';
import type { CoreOptions } from '../config/options.ts';
import { isLoopback } from '../config/parse.ts';
import type { Finding } from './finding.ts';
import { findAddressFault } from './start-check.ts';

/** How long a service of ours may take to accept a connection. */
const connectMs = 1000;

/** Checks that the address is free, or that a service runs there. */
export async function checkAddress({ host, port }: CoreOptions): Promise<Finding> {
  const about = 'address';
  const fault = await findAddressFault(host, port);
  if (fault === undefined) return { about, verdict: 'ok', says: `${host}:${port} is free` };
  if (fault.code !== 'EADDRINUSE') return { about, verdict: 'fault', says: fault.says };
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect({ host, port, timeout: connectMs });
    const settle = (accepts: boolean) => (): void => {
      socket.destroy();
      resolve(accepts);
    };
    socket.once('connect', settle(true)).once('error', settle(false)).once('timeout', settle(false));
  });
  return {
    about,
    verdict: 'ok',
    says: `${host}:${port} is in use${answers ? ' and accepts connections: a service is running there' : ''}`,
  };
}

/** Reports a host at which WebAuthn does not work: an RP ID is a domain (WebAuthn Level 3 §5.1.3). */
export function checkPublicHost({ publicUrl }: CoreOptions): Finding[] {
  const host = publicUrl?.hostname.replaceAll(/[[\]]/g, '') ?? '';
  if (isIP(host) === 0 || isLoopback(host)) return [];
  return [
    {
      about: 'address',
      verdict: 'unsafe',
      says: `PUBLIC_URL has the IP address ${host}, at which signing in with WebAuthn does not work. Set PUBLIC_URL to a domain name.`,
    },
  ];
}
