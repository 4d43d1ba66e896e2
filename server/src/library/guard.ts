// Tells the routes of an application who is signed in.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../kit/problem.ts';
import { errorHandler, sendProblem } from '../http/reply/problem-handler.ts';
import { paths } from '../page/paths.ts';
import type { Session } from '../identity/session/session-entry.ts';
import type { Service } from '../app/service.ts';
import { requireService } from './members.ts';
import '../identity/session/problem.ts';

/**
 * Returns the session of a request, by its Cookie header; `undefined` if no user is signed in. The name of the cookie
 * depends on the mode of the service, so it is read here.
 * @param cookie `request.headers.cookie` of Node.js, or `request.headers.get('cookie')` of the Fetch API.
 * @throws {TypeError} if the service is not from `openService`, or the cookie is not a text.
 * @throws {Problem} unavailable if the database does not answer.
 */
export async function findSession(
  service: Service,
  cookie: string | null | undefined,
): Promise<Session | undefined> {
  requireService('findSession', service);
  if (cookie !== undefined && cookie !== null && typeof cookie !== 'string')
    throw new TypeError(
      "findSession needs the Cookie header, a text: findSession(service, request.headers.cookie), or request.headers.get('cookie') with the Fetch API",
    );
  const { sessions, cookies } = service.core;
  return sessions.find(cookies.session.read(cookie ?? undefined));
}

/**
 * Returns a hook for the routes of an application in Fastify, as `onRequest` or `preHandler`. It sets `request.session`.
 * Without a session it redirects a browser that opens a page to sign in, from where the user comes back, and answers
 * everything else with 403 `session_required`. It answers 503 `unavailable` if the database does not answer.
 * @throws {TypeError} if the service is not from `openService`.
 */
export function requireSession(
  service: Service,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined> {
  requireService('requireSession', service);
  const handle = errorHandler();
  return async (request, reply) => {
    let session: Session | undefined;
    try {
      session = await findSession(service, request.headers.cookie);
    } catch (error) {
      // Not thrown: the error handler of the application may send the message, which names the database server.
      await handle(error, request, reply);
      return reply;
    }
    if (session !== undefined) {
      request.session = session;
      return undefined;
    }
    void reply.header('cache-control', 'no-store');
    if (opensPage(request))
      return reply.redirect(`${paths.signIn}?return_to=${encodeURIComponent(request.originalUrl)}`, 303);
    await sendProblem(new Problem('session_required'), request, reply);
    return reply;
  };
}

/**
 * Returns whether a browser shows the reply as a page (Fetch Metadata, `Sec-Fetch-Mode: navigate`). A script would take
 * the page of a redirect for its data, and a form that was sent cannot be sent again after sign-in.
 */
function opensPage({ method, headers }: FastifyRequest): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  const mode = headers['sec-fetch-mode'];
  if (mode !== undefined) return mode === 'navigate';
  return headers['x-requested-with'] === undefined && (headers.accept?.includes('text/html') ?? false);
}
