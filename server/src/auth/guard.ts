// The member door: a request passes with a live session only.
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { Problem } from '../kit/problem.ts';
import type { SessionCookie } from '../http/session-cookie.ts';
import type { Auth, Session } from './auth.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set behind the member door. */
    session: Session | null;
  }
}

/** Refuses a request without a live session. @throws {Problem} session_required. */
export function sessionGuard(auth: Auth, cookie: SessionCookie): onRequestAsyncHookHandler {
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
