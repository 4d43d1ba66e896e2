// The response class of our own server. It writes the headers that are the same on every reply as one prepared text:
// handed to the framework one by one, nine of them cost a tenth of a session check. They so reach also what node:http
// answers by itself.
import type { IncomingMessage, ServerResponse as NodeResponse } from 'node:http';
import { ServerResponse } from './node-http.ts';

export interface ResponseRule {
  /** Headers of every reply, by their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** True while the server stops: each reply is then the last one of its connection. */
  readonly isClosed: boolean;
}

/** Marks a response that writes the headers itself. */
const marksOwn = Symbol('writes the headers of every reply');

/** Begins a reply's head with its first line. Of node:http since its first release, but in no type. */
type StoreHeader = (this: NodeResponse, firstLine: string, headers: object | null | undefined) => void;

/** The class for a server under the rule, which is asked anew for every reply. */
export function responseClass(rule: ResponseRule): typeof ServerResponse {
  const { _storeHeader: storeHeader } = ServerResponse.prototype as unknown as { _storeHeader?: StoreHeader };
  // On a Node without it every reply is told the headers by the hook of security-headers.ts.
  if (storeHeader === undefined) return ServerResponse;
  const names = Object.keys(rule.headers);
  const allLines = headerLines(rule.headers);
  return class OwnResponse<Request extends IncomingMessage> extends ServerResponse<Request> {
    get [marksOwn](): true {
      return true;
    }

    _storeHeader(firstLine: string, own: object | null | undefined): void {
      if (rule.isClosed) this.shouldKeepAlive = false;
      const isPlain = own === null || own === undefined || !names.some((name) => name in own);
      const lines = isPlain ? allLines : headerLines(without(own, rule.headers));
      storeHeader?.call(this, firstLine + lines, own);
    }
  };
}

/** True when the response is of the class, and needs to be told nothing. */
export function writesHeaders(response: NodeResponse): boolean {
  return marksOwn in response;
}

/** The headers as they stand in a reply. */
export function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

function without(own: object, headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !(name in own)));
}
