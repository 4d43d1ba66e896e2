// The accessibility checks of axe-core, in the pages of a browser.
import axe from 'axe-core';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before } from 'node:test';
import type { Visitor } from './visitor.ts';

/**
 * Returns a function that defines `axe` in the current page, whose policy the browser must ignore. A server has the script
 * for the suite that calls this, so that the browser keeps it compiled: giving its text to each page takes four times as
 * long as the checks.
 */
export function useAxe(): (visitor: Visitor) => Promise<void> {
  const headers = { 'content-type': 'text/javascript', 'cache-control': 'max-age=3600' };
  const server = createServer((_, reply) => reply.writeHead(200, headers).end(axe.source));
  let origin = '';
  before(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as { port: number }; // listening on a port
    origin = `http://127.0.0.1:${port}`;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });
  return async (visitor) => {
    visitor.allow(origin);
    await visitor.page.addScriptTag({ url: `${origin}/axe.js` });
  };
}
