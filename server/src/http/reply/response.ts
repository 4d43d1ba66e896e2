// Declares the response class of the server. It writes the headers that are the same on every reply as one prepared
// text: setting nine headers one by one would cost a tenth of a session check. Replies that node:http sends itself have
// them too. And it says whether the service still works on a reply.
import type { IncomingMessage, ServerResponse as NodeResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ServerResponse } from './node-http.ts';

export interface ResponseRule {
  /** Headers of every reply, with names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** True while the server stops: each reply then closes its connection. */
  readonly isClosed: boolean;
}

/** Marks a response that writes the headers itself. */
const ownHeaders = Symbol('writes the headers of every reply');

/** The response that a socket carries. */
const current = Symbol('current response');
type Carrier = Socket & { [current]?: NodeResponse | undefined };

/**
 * Writes the head of a reply, from its first line. An internal method of node:http since its first release, without a
 * type.
 */
type StoreHeader = (this: NodeResponse, firstLine: string, headers: object | null | undefined) => void;

/** Returns the response class of a server. The rule is read for every reply. */
export function responseClass(rule: ResponseRule): typeof ServerResponse {
  const { _storeHeader: storeHeader } = ServerResponse.prototype as unknown as { _storeHeader?: StoreHeader };
  // Without this method the hook of security-headers.ts sets the headers on every reply.
  if (storeHeader === undefined) return ServerResponse;
  const names = Object.keys(rule.headers);
  const allLines = headerLines(rule.headers);
  return class OwnResponse<Request extends IncomingMessage> extends ServerResponse<Request> {
    get [ownHeaders](): true {
      return true;
    }

    override assignSocket(socket: Socket): void {
      super.assignSocket(socket);
      (socket as Carrier)[current] = this;
    }

    override detachSocket(socket: Socket): void {
      super.detachSocket(socket);
      (socket as Carrier)[current] = undefined;
    }

    _storeHeader(firstLine: string, own: object | null | undefined): void {
      if (rule.isClosed) this.shouldKeepAlive = false;
      const isPlain = own === null || own === undefined || !names.some((name) => name in own);
      const lines = isPlain ? allLines : headerLines(without(own, rule.headers));
      storeHeader?.call(this, firstLine + lines, own);
    }
  };
}

/** Returns whether a response writes the headers itself. */
export function writesHeaders(response: NodeResponse): boolean {
  return ownHeaders in response;
}

/** Returns the response of a connection on which a whole request was received, and nothing of the reply was sent yet. */
export function pendingResponse(socket: Socket): NodeResponse | undefined {
  const response = (socket as Carrier)[current];
  return response?.req.complete === true && !response.headersSent ? response : undefined;
}

/** Formats headers as the lines of a reply. */
export function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

function without(own: object, headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !(name in own)));
}
