// The body of a request that the engine reads itself.
import type { IncomingMessage } from 'node:http';
import { bodyBytes } from '../../../http/body.ts';

/** Limits a body whose length is not named. The limit of the engine is higher; it answers an error of its reader by 400. */
export function limitBody(request: IncomingMessage): void {
  const read = request.iterator.bind(request);
  request.iterator = (options) => limited(read(options) as NodeJS.AsyncIterator<Buffer>); // a request has no encoding
}

async function* limited(chunks: NodeJS.AsyncIterator<Buffer>): NodeJS.AsyncIterator<Buffer> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > bodyBytes) throw new Error('The body is too large');
    yield chunk;
  }
}
