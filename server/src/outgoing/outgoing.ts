// Sends requests to addresses that clients and connections name: only to public addresses or those that the operator
// allows, over TLS, without redirects, with limits of time and size. The address is checked when it is connected to, so
// that a name cannot resolve to another one after the check (DNS rebinding).
import type { IncomingMessage } from 'node:http';
import { isIP, type LookupFunction } from 'node:net';
import { once } from 'node:events';
import { callbackify } from 'node:util';
import { secondMs } from '../kit/clock.ts';
import { DestinationRule, type DestinationRuleOptions } from './destination-rule.ts';

/** Nothing was sent: the operator does not allow the URL or its address. The message says why, for the operator. */
export class OutgoingRefused extends Error {
  override readonly name = 'OutgoingRefused';
}

/** As that of `fetch`, and limits. Only `method`, `headers`, `body` and `signal` are used. */
interface OutgoingInit extends RequestInit {
  /** Time from the look-up of the name to the last byte; 5 s by default. */
  readonly timeoutMs?: number;
  /** Longest body; 1 MiB by default. */
  readonly maxBytes?: number;
  /** Cuts a longer body off instead of failing. */
  readonly isCut?: boolean;
}

/** A `fetch` whose requests are guarded. */
export type OutgoingFetch = (url: string | URL, init?: OutgoingInit) => Promise<Response>;

/** Resolves a name to all its addresses. */
type Resolve = (
  hostname: string,
) => Promise<readonly { readonly address: string; readonly family: number }[]>;

export interface OutgoingOptions extends DestinationRuleOptions {
  /** By default the resolver of the operating system. */
  readonly resolve?: Resolve;
}

const defaultTimeoutMs = 5 * secondMs;
const defaultMaxBytes = 1_048_576;
/** Statuses that have no body (Fetch standard, "null body status"). */
const bodiless = new Set([204, 205, 304]);

/** Guarded requests to other servers. */
export class Outgoing {
  readonly #rule: DestinationRule;
  readonly #resolve: Resolve;

  constructor({ resolve = lookUpAll, ...options }: OutgoingOptions) {
    this.#rule = new DestinationRule(options);
    this.#resolve = resolve;
  }

  /**
   * Sends a request and reads its whole response. A redirect is not followed: its status is returned. The body is not
   * decompressed.
   * @throws {OutgoingRefused} if the URL or its address is not allowed; nothing was sent.
   * @throws {Error} if there is no connection, no complete response in time, or the body is too long.
   */
  readonly fetch: OutgoingFetch = async (
    target,
    { timeoutMs = defaultTimeoutMs, maxBytes = defaultMaxBytes, isCut = false, ...init } = {},
  ) => {
    const { method, headers, body, signal } = init;
    const request = new Request(target, {
      ...(method !== undefined && { method }),
      ...(headers !== undefined && { headers }),
      ...(body !== undefined && { body }),
    });
    const url = new URL(request.url);
    this.#requireAllowed(url);
    const content = Buffer.from(await request.arrayBuffer());
    const timeout = AbortSignal.timeout(timeoutMs);
    const ends = AbortSignal.any(signal ? [signal, timeout] : [timeout]);
    try {
      const response = await this.#send(request, url, content, ends);
      return toResponse(response, await readBody(response, { maxBytes, isCut }));
    } catch (error) {
      if (timeout.aborted) throw new Error(`No response within ${timeoutMs} ms`, { cause: error });
      throw error;
    }
  };

  #requireAllowed({ protocol, hostname }: URL): void {
    if (protocol !== 'https:' && !(protocol === 'http:' && this.#rule.allowsLoopback))
      throw new OutgoingRefused(`${protocol} is not allowed: use https`);
    const bare = hostname.replace(/^\[|\]$/g, '');
    // No name is looked up for an address, so it is checked here.
    if (isIP(bare) !== 0 && !this.#permits(bare, protocol)) throw refusedAddress(bare, [bare]);
  }

  #permits(address: string, protocol: string): boolean {
    return protocol === 'https:' ? this.#rule.permits(address) : this.#rule.permitsLoopback(address);
  }

  async #send(request: Request, url: URL, content: Buffer, signal: AbortSignal): Promise<IncomingMessage> {
    // Loaded here because few services send a request: node:http loads the clients of `fetch` and WebSocket too, which
    // would take a tenth of the time of a start.
    const { request: open } = await (url.protocol === 'https:' ? import('node:https') : import('node:http'));
    const sent = open(url, {
      method: request.method,
      headers: {
        'user-agent': 'Bienvenue',
        ...Object.fromEntries(request.headers),
        'accept-encoding': 'identity',
      },
      agent: false, // a connection of its own: one that was kept was not checked for this URL
      lookup: this.#lookupFor(url.protocol),
      signal,
    });
    sent.on('error', () => {}); // one after the response is reported by its body
    sent.end(content);
    const [response] = (await once(sent, 'response', { signal })) as [IncomingMessage]; // of node:http
    return response;
  }

  /** Resolves a name for a connection to those of its addresses that are allowed. */
  #lookupFor(protocol: string): LookupFunction {
    const find = callbackify((hostname: string) => this.#addressesOf(hostname, protocol));
    return (hostname, options, callback) =>
      find(hostname, (error, addresses) => {
        const [first] = addresses ?? []; // undefined after an error
        if (error !== null) callback(error, '');
        else if (options.all === true) callback(null, [...addresses]);
        else callback(null, first?.address ?? '', first?.family);
      });
  }

  async #addressesOf(
    hostname: string,
    protocol: string,
  ): Promise<readonly { readonly address: string; readonly family: number }[]> {
    const all = await this.#resolve(hostname);
    const allowed = all.filter(({ address }) => this.#permits(address, protocol));
    if (allowed.length === 0)
      throw refusedAddress(
        hostname,
        all.map(({ address }) => address),
      );
    return allowed;
  }
}

async function lookUpAll(hostname: string): ReturnType<Resolve> {
  const { lookup } = await import('node:dns/promises');
  return lookup(hostname, { all: true });
}

function refusedAddress(host: string, addresses: readonly string[]): OutgoingRefused {
  return new OutgoingRefused(
    `${host} is not public (${addresses.join(', ')}). If it is meant, add its network to OUTBOUND_ALLOW.`,
  );
}

async function readBody(
  response: IncomingMessage,
  { maxBytes, isCut }: { readonly maxBytes: number; readonly isCut: boolean },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) {
      response.destroy();
      if (!isCut) throw new Error(`The response is longer than ${maxBytes} bytes`);
      break;
    }
  }
  return Buffer.concat(chunks).subarray(0, maxBytes);
}

function toResponse({ statusCode: status = 0, rawHeaders }: IncomingMessage, body: Buffer): Response {
  const headers = new Headers();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '');
  return new Response(bodiless.has(status) ? null : new Uint8Array(body), { status, headers });
}
