// A proxy before PostgreSQL that counts messages and can break connections.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface PostgresProxy {
  /** The database through the proxy. */
  readonly url: string;
  /** Statements executed so far on all connections (message `Execute`, PostgreSQL §54.7). */
  readonly executed: () => number;
  /** Connections accepted so far. */
  readonly accepted: () => number;
  /** Breaks every connection, as a server does that is killed. */
  readonly cut: () => void;
  /** Stops forwarding in both directions, while connections stay open. */
  readonly stall: () => void;
  readonly close: () => Promise<void>;
}

const executeMessage = 'E'.charCodeAt(0);
/** Bytes of the type and of the length, which includes itself. */
const headBytes = 5;

/** Counts the messages of one type that a client sends. The first message has no type, only a length. */
function counter(type: number, count: () => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  let isStart = true;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const lengthAt = isStart ? 0 : 1;
      if (rest.length < headBytes) return;
      const end = lengthAt + rest.readUInt32BE(lengthAt);
      if (rest.length < end) return;
      if (!isStart && rest[0] === type) count();
      isStart = false;
      rest = rest.subarray(end);
    }
  };
}

/** Listens on loopback and forwards to the PostgreSQL of the URL. */
export async function postgresProxy(url: string): Promise<PostgresProxy> {
  const target = new URL(url);
  const lines = new Set<[Socket, Socket]>();
  let executed = 0;
  let accepted = 0;
  let isStalled = false;
  const server = createServer((client) => {
    accepted += 1;
    const upstream = connect(Number(target.port), target.hostname);
    const line: [Socket, Socket] = [client, upstream];
    lines.add(line);
    const count = counter(executeMessage, () => {
      executed += 1;
    });
    client.on('data', (chunk) => {
      count(chunk);
      if (!isStalled) upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (!isStalled) client.write(chunk);
    });
    for (const socket of line) {
      socket.on('error', () => {});
      socket.on('close', () => {
        for (const end of line) end.destroy();
        lines.delete(line);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = new URL(url);
  own.hostname = '127.0.0.1';
  own.port = String((server.address() as AddressInfo).port); // listening on a port, not a pipe
  const cut = (): void => {
    for (const [client, upstream] of lines) {
      client.resetAndDestroy();
      upstream.destroy();
    }
  };
  return {
    url: own.href,
    executed: () => executed,
    accepted: () => accepted,
    cut,
    stall: () => {
      isStalled = true;
    },
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
