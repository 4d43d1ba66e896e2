// The one place where a refusal becomes a status. Three branches and no fourth: a Problem of ours; a refusal of the
// framework's (validation, body too large); everything else is logged with its cause and answered 500 without detail.
import type { FastifyError, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify';
import { getProblem, Problem, type FieldFault } from '../kit/problem.ts';
import { LogThrottle } from '../kit/log-throttle.ts';
import './problem.ts';

export const problemMediaType = 'application/problem+json; charset=utf-8';

/** Path of a problem's description, relative to the service (RFC 9457 §3.1.1). */
export function problemType(code: string): string {
  return `/problems/${code}`;
}

/** A problem as it is sent (RFC 9457 §3.1), with the contract's `message` beside its members. */
export function problemBody({ code, fields, demand }: Problem, requestId?: string): object {
  const { title, status } = getProblem(code);
  const message =
    fields.length === 0 ? title : fields.map(({ field, message: fault }) => `${field} ${fault}`).join('; ');
  return {
    type: problemType(code),
    title,
    status,
    code,
    message,
    ...(fields.length > 0 && {
      errors: fields.map(({ field, message: fault }) => ({ field, message: fault })),
    }),
    ...(demand !== undefined && { factors: demand.factors, max_age: demand.maxAgeSeconds }),
    ...(requestId !== undefined && { request_id: requestId }),
  };
}

/** Answers with a problem as `application/problem+json`. */
export async function sendProblem(
  problem: Problem,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { code, retryAfterSeconds, demand } = problem;
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds);
  // RFC 9470 §3; the scheme says that a session is what is presented.
  if (demand !== undefined)
    void reply.header(
      'www-authenticate',
      `Session error="insufficient_user_authentication", max_age="${demand.maxAgeSeconds}"`,
    );
  await reply
    .status(getProblem(code).status)
    .type(problemMediaType)
    .serializer(JSON.stringify) // a route's response schema describes its success, not its refusals
    .send(problemBody(problem, request.id));
}

/** Sends an error that rose out of a route, a hook or the framework. */
export type ErrorHandler = (error: unknown, request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** Tells a refusal to whoever sent the request. */
export type ProblemSender = (problem: Problem, request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** Makes the handler of a server. What cannot be served for one and the same cause is logged once a minute. */
export function errorHandler(send: ProblemSender = sendProblem): ErrorHandler {
  const unavailable = new LogThrottle();
  return async (error, request, reply) => {
    const problem = toProblem(error);
    if (problem.code === 'internal_error') {
      request.log.error({ err: error, request_id: request.id }, 'A request failed');
    } else if (problem.code === 'unavailable') {
      const count = unavailable.take(problem.message);
      if (count > 0)
        request.log.warn(
          { err: error, request_id: request.id, count },
          'Requests failed because a dependency is unavailable',
        );
    }
    await send(problem, request, reply);
  };
}

/** What an error is to whoever sent the request. */
function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (!(error instanceof Error)) return new Problem('internal_error', { cause: error });
  const { validation, statusCode } = error as Partial<FastifyError>; // only the framework's errors have them
  if (validation !== undefined)
    return new Problem('invalid_request', { fields: toFieldFaults(validation), cause: error });
  if (statusCode === 413) return new Problem('body_too_large', { cause: error });
  if (statusCode === 415) return new Problem('unsupported_media_type', { cause: error });
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new Problem('invalid_request', { cause: error });
  return new Problem('internal_error', { cause: error });
}

/** The validator's findings by field: one sentence each, without a word of the validator's. */
function toFieldFaults(validation: readonly FastifySchemaValidationError[]): FieldFault[] {
  const faults = new Map<string, string>();
  const add = (field: string, message: string): unknown => faults.has(field) || faults.set(field, message);
  for (const { keyword, instancePath, params } of validation) {
    if (keyword === 'required')
      for (const field of params['requiredProperties'] as string[]) add(field, 'is missing');
    else add(instancePath.split('/')[1] ?? 'body', sentenceOf(keyword, params));
  }
  return [...faults].map(([field, message]) => ({ field, message }));
}

function sentenceOf(keyword: string, params: Record<string, unknown>): string {
  switch (keyword) {
    case 'minLength':
      return 'is empty';
    case 'maxLength':
      return `is longer than ${String(params['limit'])} characters`;
    case 'type':
      return `must be a single ${String(params['type'])}`;
    case 'pattern':
      return 'contains an invalid character';
    default:
      return 'is not valid';
  }
}
