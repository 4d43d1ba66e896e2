// The member door: a request passes with a live session only.
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { Problem } from '../kit/problem.ts';
import type { AuditSource } from '../audit/event.ts';
import type { ClientAddress } from '../http/client-address.ts';
import type { TokenCookie } from '../http/token-cookie.ts';
import type { Auth } from './auth.ts';
import type { Session } from './session.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set behind the member door. */
    session: Session | null;
  }
}

/** Refuses a request without a live session. @throws {Problem} session_required. */
export function sessionGuard(auth: Auth, cookie: TokenCookie): onRequestAsyncHookHandler {
  return async (request) => {
    const session = await auth.getSession(cookie.read(request.headers.cookie));
    if (session === undefined) throw new Problem('session_required');
    request.session = session;
  };
}

/** The session of a request behind the member door. */
export function sessionOf(request: FastifyRequest): Session {
  if (request.session === null) throw new Error('This route is not behind the member door');
  return request.session;
}

/** Where a request comes from, for the record. */
export function sourceOf(request: FastifyRequest, clientAddress: ClientAddress): AuditSource {
  const device = request.headers['user-agent'];
  return {
    actor: request.session === null ? 'anonymous' : 'user',
    address: clientAddress.of(request).address,
    requestId: request.id,
    ...(device !== undefined && { device }),
  };
}
