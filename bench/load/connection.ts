// One keep-alive HTTP/1.1 connection with one request at a time. It reads into one buffer and parses only what a check
// needs, so that a generator on one core keeps a server on another busy.
import { connect, type Socket } from 'node:net';
import type { PlannedRequest } from './plan.ts';

export interface Reply {
  readonly status: number;
  readonly body: string;
}

export interface ConnectionOptions {
  readonly port: number;
  readonly localAddress?: string;
  readonly onReply: (connection: Connection, reply: Reply) => void;
  /** Called when the connection ends; with a request in progress that is a fault. */
  readonly onEnd: (connection: Connection, reason: string) => void;
}

const bufferBytes = 64 * 1024;

export class Connection {
  /** The request in progress, when it was due, and when it was sent. */
  request: PlannedRequest | undefined;
  dueAt = 0;
  sentAt = 0;
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  #received = '';
  #replies = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { port, localAddress } = options;
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      ...(localAddress !== undefined && { localAddress }),
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(bufferBytes),
        callback: (length, buffer) => {
          this.#receive(buffer, length);
          return true;
        },
      },
    });
    this.#socket.once('error', (error) => options.onEnd(this, this.#describeEnd(error.message)));
    this.#socket.once('close', () =>
      options.onEnd(this, this.#describeEnd('the server closed the connection')),
    );
  }

  send(request: PlannedRequest, dueAt: number): void {
    this.request = request;
    this.dueAt = dueAt;
    this.sentAt = performance.now();
    this.#socket.write(request.text, 'latin1');
  }

  close(): void {
    this.#socket.destroy();
  }

  #describeEnd(reason: string): string {
    const under = this.request?.text.split('\r\n', 1)[0] ?? 'nothing';
    const ms = Math.round(performance.now() - this.sentAt);
    return `${reason}, ${ms} ms after ${under} was sent, its ${this.#replies + 1}th request`;
  }

  #receive(buffer: Uint8Array, length: number): void {
    const chunk = (buffer as Buffer).toString('latin1', 0, length); // the buffer that was passed to connect()
    const text = this.#received === '' ? chunk : this.#received + chunk;
    const reply = parseReply(text);
    this.#received = reply === undefined ? text : '';
    if (reply !== undefined) this.#replies += 1;
    if (reply !== undefined) this.#options.onReply(this, reply);
  }
}

/** Parses a reply; `undefined` if it is incomplete. */
export function parseReply(text: string): Reply | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const status = Number(text.slice(9, 12));
  const head = text.slice(0, headEnd);
  const length = /content-length: *(\d+)/i.exec(head)?.[1];
  const rest = text.slice(headEnd + 4);
  if (length !== undefined) return rest.length < Number(length) ? undefined : { status, body: rest };
  if (!/transfer-encoding: *chunked/i.test(head)) return { status, body: rest };
  return rest.endsWith('0\r\n\r\n') ? { status, body: joinChunks(rest) } : undefined;
}

/** Joins the chunks of a body (RFC 9112 §7.1). */
function joinChunks(text: string): string {
  let body = '';
  for (let at = 0; ;) {
    const lineEnd = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (!(size > 0)) return body;
    body += text.slice(lineEnd + 2, lineEnd + 2 + size);
    at = lineEnd + 2 + size + 2;
  }
}

/** Describes how a reply differs from the plan; `undefined` if it does not. */
export function faultOf(request: PlannedRequest, { status, body }: Reply): string | undefined {
  const expected =
    request.statuses.includes(status) && (status !== request.statuses[0] || body.includes(request.holds));
  if (expected) return undefined;
  return `${request.text.split('\r\n', 1)[0]} was answered ${status} ${body.slice(0, 300)}, not ${request.statuses.join('/')} with ${request.holds}`;
}
