// Sends bytes to a listening service that no client library would send.
import { connect } from 'node:net';

/** Bytes received on one connection. */
export interface Exchange {
  /** Everything that was received, as Latin-1. */
  readonly text: string;
  /** Status of each reply, in order. */
  readonly statuses: readonly number[];
  /** The service closed the connection by itself. */
  readonly isClosed: boolean;
  /** Milliseconds from the first byte sent to the first received. */
  readonly firstByteMs: number;
}

/** Longest wait, in milliseconds, for a service that sends nothing: more than any reply takes on a busy machine. */
const patienceMs = 60_000;

/** Sends the bytes on a new connection and reads until the service closes it, or has been silent for too long. */
export function exchange(port: number, bytes: string | Buffer): Promise<Exchange> {
  return new Promise((resolve) => {
    const received: Buffer[] = [];
    const begun = performance.now();
    let firstByteMs = Number.POSITIVE_INFINITY;
    let isClosed = false;
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.setTimeout(patienceMs, () => socket.destroy());
    socket.on('data', (chunk) => {
      firstByteMs = Math.min(firstByteMs, performance.now() - begun);
      received.push(chunk);
    });
    socket.on('end', () => (isClosed = true));
    socket.on(
      'error',
      (error: NodeJS.ErrnoException) => (isClosed ||= error.code === 'ECONNRESET' || error.code === 'EPIPE'),
    );
    socket.on('close', () => {
      const text = Buffer.concat(received).toString('latin1');
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      resolve({ text, statuses, isClosed, firstByteMs });
    });
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  });
}
