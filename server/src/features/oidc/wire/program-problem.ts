// Problems of requests that never reach the engine, such as those above a limit, in the form of its own errors.
import { errorHandler, sendProblem, type ProblemSender } from '../../../http/reply/problem-handler.ts';
import { getProblem } from '../../../kit/problem.ts';

/**
 * Sends a problem as an error of OAuth 2.0 (RFC 6749 §5.2). Scripts of all origins may read it, as each error that
 * comes before the client is known.
 */
const sendProgramProblem: ProblemSender = async (problem, request, reply) => {
  const { code, retryAfterSeconds } = problem;
  // That the service does not answer this host at all is no matter of the protocol.
  if (code === 'misdirected_request') return sendProblem(problem, request, reply);
  const { status, title } = getProblem(code);
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds);
  await reply
    .status(status)
    .headers({
      'access-control-allow-origin': request.headers.origin ?? '*',
      'access-control-expose-headers': 'Retry-After',
      'cache-control': 'no-store',
      vary: 'Origin',
    })
    .type('application/json; charset=utf-8')
    .send({ error: errorOf(status), error_description: title });
};

function errorOf(status: number): string {
  if (status === 429 || status === 503) return 'temporarily_unavailable';
  return status >= 500 ? 'server_error' : 'invalid_request';
}

/** Answers an error of a hook. */
export const answerProgramError = errorHandler(sendProgramProblem);
