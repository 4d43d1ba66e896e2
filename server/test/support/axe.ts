// The accessibility checks of axe-core, in the pages of a browser.
import axe from 'axe-core';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Visitor } from './visitor.ts';

/**
 * Serves axe-core, so that the browser keeps it compiled: giving its text to each page takes five times as long as the
 * checks.
 */
export class AxeServer {
  readonly #server: Server;
  readonly #origin: string;

  private constructor(server: Server, origin: string) {
    this.#server = server;
    this.#origin = origin;
  }

  static async open(): Promise<AxeServer> {
    const headers = { 'content-type': 'text/javascript', 'cache-control': 'max-age=3600' };
    const server = createServer((_, reply) => reply.writeHead(200, headers).end(axe.source));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return new AxeServer(server, `http://127.0.0.1:${port}`);
  }

  /** Defines `axe` in the current page, whose policy the browser must ignore. */
  async addTo(visitor: Visitor): Promise<void> {
    visitor.allow(this.#origin);
    await visitor.page.addScriptTag({ url: `${this.#origin}/axe.js` });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
