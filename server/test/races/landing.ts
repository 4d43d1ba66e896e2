// Requests that arrive together: all bytes of each except the last one are sent and wait in the server, then the last
// bytes are written in one turn of the event loop. Otherwise the first racer would finish before the last one arrives.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** The request of a racer. */
export interface Racer {
  /** Base URL of its process. */
  readonly to: string;
  readonly method: string;
  readonly path: string;
  readonly fields?: Readonly<Record<string, string>>;
  /** Name and value of the cookie. */
  readonly cookie?: string;
}

/** The reply. */
export interface Outcome {
  readonly status: number;
  /** Header lines, in lower case, without those that differ between any two replies. */
  readonly headers: readonly string[];
  readonly text: string;
  readonly cookies: readonly string[];
  /** Times of the last byte sent and of the reply, by `performance.now()`. */
  readonly sentAt: number;
  readonly endedAt: number;
}

/** Milliseconds for the first bytes to arrive: loopback needs a fraction of them. */
const arrivalMs = 4;

/** Sends all requests so that they arrive together; the outcomes are in the order of the requests. */
export async function land(racers: readonly Racer[]): Promise<Outcome[]> {
  const lines = await Promise.all(racers.map(open));
  await pause(arrivalMs);
  return Promise.all(lines.map((line) => line.finish()));
}

/** Sends one request. */
export async function ask(racer: Racer): Promise<Outcome> {
  return (await open(racer)).finish();
}

/** Sends one whole request and closes the connection without waiting for the reply. */
export async function askAndHangUp(racer: Racer): Promise<void> {
  const { socket, last } = await open(racer);
  await new Promise<void>((resolve) => socket.write(last, () => resolve()));
  await pause(arrivalMs);
  socket.destroy();
}

interface Line {
  readonly socket: Socket;
  /** The last byte, not sent yet. */
  readonly last: Buffer;
  readonly finish: () => Promise<Outcome>;
}

async function open(racer: Racer): Promise<Line> {
  const { hostname, port } = new URL(racer.to);
  const bytes = Buffer.from(textOf(racer));
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  const ended = new Promise<number>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => resolve(performance.now()));
  });
  ended.catch(() => {}); // finish() reports it, if it is called
  const last = bytes.subarray(-1);
  await new Promise<void>((resolve) => socket.write(bytes.subarray(0, -1), () => resolve()));
  return {
    socket,
    last,
    async finish() {
      const sentAt = performance.now();
      socket.write(last);
      const endedAt = await ended;
      return { ...parse(Buffer.concat(chunks).toString()), sentAt, endedAt };
    },
  };
}

function textOf({ method, path, fields, cookie }: Racer): string {
  const body = fields === undefined ? '' : String(new URLSearchParams(fields));
  const head = [
    `${method} ${path} HTTP/1.1`,
    'Host: localhost',
    'Connection: close',
    ...(cookie === undefined ? [] : [`Cookie: ${cookie}`]),
    ...(fields === undefined
      ? []
      : ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${Buffer.byteLength(body)}`]),
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** Headers that differ between any two replies: the date, and the rest of the limit. */
const passing = /^(date|ratelimit|ratelimit-policy):/;

function parse(reply: string): Pick<Outcome, 'status' | 'headers' | 'text' | 'cookies'> {
  const end = reply.indexOf('\r\n\r\n');
  const [first = '', ...lines] = reply.slice(0, Math.max(end, 0)).split('\r\n');
  const cookies = lines.flatMap((line) => /^set-cookie: ([^;]+)/i.exec(line)?.[1] ?? []);
  const headers = lines.map((line) => line.toLowerCase()).filter((line) => !passing.test(line));
  return { status: Number(first.split(' ')[1] ?? 0), headers, text: reply.slice(end + 4), cookies };
}
