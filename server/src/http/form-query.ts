// Answers forms of other sites, which bring no cookie because the session is SameSite=Lax: as a GET the browser sends it.
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Longest query that is built from a form. */
const maxQueryBytes = 8 * 1024;

/**
 * Returns a handler that redirects a form to a path with its fields in the query.
 * @param addressOf Address of a page with the fault of a form that is too long.
 */
export function formAsQuery(
  path: string,
  addressOf: (fault: string, request: FastifyRequest) => string,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> {
  return async (request, reply) => {
    const fields = Object.entries((request.body ?? {}) as Record<string, string | string[]>);
    const query = new URLSearchParams(
      fields.flatMap(([name, value]) => [value].flat().map((one) => [name, one] as [string, string])),
    ).toString();
    const target =
      Buffer.byteLength(query) > maxQueryBytes
        ? addressOf(`the form is longer than ${maxQueryBytes} bytes as a query`, request)
        : `${path}?${query}`;
    return reply.redirect(target, 303);
  };
}
