// Converts errors to replies. A Problem is sent with its status; an error of the framework (validation, body too large)
// becomes a Problem; any other error is logged with its cause and answered with 500 without details.
import type { FastifyError, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify';
import { getProblem, Problem, type FactorRequirement, type FieldFault } from '../../kit/problem.ts';
import type { Log } from '../../kit/log.ts';
import { LogThrottle } from '../../kit/log-throttle.ts';
import '../problem.ts';

export const problemMediaType = 'application/problem+json; charset=utf-8';

/** Returns the path of the description of a problem, relative to the service (RFC 9457 §3.1.1). */
export function problemType(code: string): string {
  return `/problems/${code}`;
}

/** Returns the body of a problem (RFC 9457 §3.1) with the additional member `message`, which the contract requires. */
export function problemBody({ code, fields, requirement }: Problem, requestId?: string): object {
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
    ...(requirement !== undefined && {
      factors: requirement.factors,
      acr_values: requirement.acr,
      max_age: requirement.maxAgeSeconds,
    }),
    ...(requestId !== undefined && { request_id: requestId }),
  };
}

/** Sends a problem as `application/problem+json`. */
export async function sendProblem(
  problem: Problem,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const { code, retryAfterSeconds, requirement } = problem;
  if (retryAfterSeconds !== undefined) void reply.header('retry-after', retryAfterSeconds);
  if (requirement !== undefined) void reply.header('www-authenticate', challengeOf(requirement));
  await reply
    .status(getProblem(code).status)
    .type(problemMediaType)
    .serializer(JSON.stringify) // the response schema of a route describes only its success
    .send(problemBody(problem, request.id));
}

/** Returns the challenge of RFC 9470 §3. Clients look for it under the scheme `Bearer`, which that section defines. */
function challengeOf({ acr, maxAgeSeconds }: FactorRequirement): string {
  const parameters = { error: 'insufficient_user_authentication', acr_values: acr, max_age: maxAgeSeconds };
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return `Bearer ${given.map(([name, value]) => `${name}="${value}"`).join(', ')}`;
}

/** Answers an error that a route, a hook or the framework threw. */
export type ErrorHandler = (error: unknown, request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** Sends a problem to the client. */
export type ProblemSender = (problem: Problem, request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/**
 * Returns the error handler of a server. It logs problems of a dependency with the same cause once a minute.
 * @param ownLog Instead of the log of the request.
 */
export function errorHandler(send: ProblemSender = sendProblem, ownLog?: Log): ErrorHandler {
  const unavailable = new LogThrottle();
  return async (error, request, reply) => {
    const problem = toProblem(error);
    const log = ownLog ?? request.log;
    if (problem.code === 'internal_error') {
      log.error({ err: error, request_id: request.id }, 'A request failed');
    } else if (problem.code === 'unavailable' || problem.code === 'database_read_only') {
      const count = unavailable.take(problem.message);
      if (count > 0)
        log.warn(
          { err: error, request_id: request.id, count },
          'Requests failed because a dependency is unavailable',
        );
    }
    await send(problem, request, reply);
  };
}

/** Converts an error to the problem that the client receives. */
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

/** Converts the errors of the validator to one fault per field, with messages of the service. */
function toFieldFaults(validation: readonly FastifySchemaValidationError[]): FieldFault[] {
  const faults = new Map<string, string>();
  const add = (field: string, message: string): unknown => faults.has(field) || faults.set(field, message);
  for (const { keyword, instancePath, params } of validation) {
    if (keyword === 'required')
      for (const field of params['requiredProperties'] as string[]) add(field, 'is missing');
    else if (keyword === 'additionalProperties')
      for (const field of params['additionalProperties'] as string[]) faults.set(field, 'is unknown');
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
