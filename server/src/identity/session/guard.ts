// Guards of the access levels `session` and `optional`: find the session of a request and reject requests without one.
import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { Problem } from '../../kit/problem.ts';
import type { BrowserCookies } from '../browser-cookies.ts';
import type { Sessions } from './session.ts';
import type { Session } from './session-entry.ts';
import './problem.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the access levels `session`, `optional` and `enrollment`; null without a live session. */
    session: Session | null;
  }
}

export interface SessionGuardParts {
  readonly sessions: Sessions;
  readonly cookies: BrowserCookies;
}

/** Rejects a request without a live session. @throws {Problem} session_required. */
export function sessionGuard({ sessions, cookies }: SessionGuardParts): onRequestAsyncHookHandler {
  return async (request) => {
    const session = await sessions.find(cookies.session.read(request.headers.cookie));
    if (session === undefined) throw new Problem('session_required');
    request.session = session;
  };
}

/** Sets the session of a request that has one. Rejects no request. */
export function optionalSessionGuard({ sessions, cookies }: SessionGuardParts): onRequestAsyncHookHandler {
  return async (request) => {
    request.session = (await sessions.find(cookies.session.read(request.headers.cookie))) ?? null;
  };
}

/**
 * Returns the session of a request that has passed a guard: the access level `session`, or `requireSession`.
 * @throws {Error} if the route has no guard.
 */
export function sessionOf(request: FastifyRequest): Session {
  if (request.session === null)
    throw new Error(
      'No session: the route has neither the access level session nor the hook requireSession(service)',
    );
  return request.session;
}
