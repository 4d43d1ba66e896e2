import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP port whose connections lead to one of several servers, like a virtual address or a load balancer. */
export interface TcpSwitch {
  readonly port: number;
  /** Leads new connections to another port, and breaks those that exist. */
  readonly lead: (port: number) => void;
  readonly close: () => Promise<void>;
}

/** Listens on loopback. */
export async function tcpSwitch(target: number): Promise<TcpSwitch> {
  let leadsTo = target;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(leadsTo, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port, // listening on a port, not a pipe
    lead(port) {
      leadsTo = port;
      cut();
    },
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
