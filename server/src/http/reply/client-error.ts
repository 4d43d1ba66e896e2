// Answers connections that send invalid HTTP or send too slowly. There is no request or reply object then, only a socket.
import type { Socket } from 'node:net';
import { getProblem, Problem, type ProblemCode } from '../../kit/problem.ts';
import type { Log } from '../../kit/log.ts';
import { STATUS_CODES } from './node-http.ts';
import { problemBody, problemMediaType } from './problem-handler.ts';
import { headerLines } from './response.ts';
import type { Headers } from './security-headers.ts';

/** Error codes of node:http with a more specific problem than `invalid_request`. */
const codes: Readonly<Record<string, ProblemCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
};

/**
 * Returns a handler of the server's `clientError`. It sends a problem and closes the connection, because any following
 * bytes could be the rest of a smuggled request (RFC 9112 §6.3, §11.2).
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
      socket.destroy(); // the client or the service has closed the connection
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

/** Formats a complete HTTP/1.1 reply that closes the connection. */
function rawReply(problem: Problem, headers: Headers): string {
  const body = JSON.stringify(problemBody(problem));
  const { status } = getProblem(problem.code);
  return (
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n` +
    `Content-Type: ${problemMediaType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headerLines(headers)}\r\n${body}`
  );
}
