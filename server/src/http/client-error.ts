// Answers to what is no HTTP, or comes too slowly to be a request: there is no request and no reply then, only a socket.
import type { Socket } from 'node:net';
import { getProblem, Problem, type ProblemCode } from '../kit/problem.ts';
import type { Log } from '../kit/log.ts';
import { STATUS_CODES } from './node-http.ts';
import { problemBody, problemMediaType } from './problem-handler.ts';
import { headerLines } from './response.ts';
import type { Headers } from './security-headers.ts';

/** Codes of node:http's parser and timers that say more than "malformed". */
const codes: Readonly<Record<string, ProblemCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
};

/**
 * Handler of the server's `clientError`: one small problem, then the connection is closed, for what follows on it cannot
 * be told from the remains of a smuggled request (RFC 9112 §6.3, §11.2).
 */
export function answerClientError(
  headers: Headers,
  log: Log,
): (error: NodeJS.ErrnoException, socket: Socket) => void {
  const replies = new Map<ProblemCode, string>();
  const replyOf = (code: ProblemCode): string => {
    const reply = replies.get(code) ?? rawReply(new Problem(code), headers);
    replies.set(code, reply);
    return reply;
  };
  return (error, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy(); // the client has gone, or we have closed
      return;
    }
    const code = codes[error.code ?? ''] ?? 'invalid_request';
    log.debug(
      { address: socket.remoteAddress, reason: error.code, code },
      'A connection was closed: it carried no valid HTTP request',
    );
    socket.write(replyOf(code));
    socket.destroySoon();
  };
}

/** A whole reply as text: HTTP/1.1, closing the connection. */
function rawReply(problem: Problem, headers: Headers): string {
  const body = JSON.stringify(problemBody(problem));
  const { status } = getProblem(problem.code);
  return (
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n` +
    `Content-Type: ${problemMediaType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headerLines(headers)}\r\n${body}`
  );
}
