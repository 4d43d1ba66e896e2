// The paths of the engine. It reads the body itself and writes the reply; our hooks have run before, and ours are the
// headers of every reply.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { bodyBytes } from '../../../http/body.ts';
import { formAsQuery } from '../../../http/form-query.ts';
import type { Cookie } from '../../../http/cookie/cookie.ts';
import { forAnySite, otherProtocol } from '../../../http/origin/cross-site.ts';
import { costing, storingForStrangers } from '../../../http/limit/limits.ts';
import { changesNothing, noteReason } from '../../../http/server/request-log.ts';
import { secondMs } from '../../../kit/clock.ts';
import { Problem } from '../../../kit/problem.ts';
import { keySetCacheMs } from '../../../keys/signing-key-life.ts';
import type { ClientLimit } from '../token/client-limit.ts';
import { limitBody } from '../wire/body.ts';
import { answerProgramError } from '../wire/program-problem.ts';
import { oidcPaths } from './paths.ts';
import '../../../http/problem.ts';

/** Answers a request. The class Engine does it. */
interface RequestHandler {
  handle(request: IncomingMessage, response: ServerResponse, source: FastifyRequest['source']): Promise<void>;
}

export interface EngineRouteParts {
  readonly engine: RequestHandler;
  readonly limit: ClientLimit;
  readonly sessionCookie: Cookie;
}

/** Endpoints that applications call. They read no cookie. */
const programPaths = {
  post: [oidcPaths.token, oidcPaths.revocation, oidcPaths.pushed, oidcPaths.deviceAuthorization],
  /** Also by POST, but they change nothing. */
  ask: [oidcPaths.userinfo, oidcPaths.introspection],
  get: [oidcPaths.userinfo, oidcPaths.jwks, oidcPaths.openidConfiguration, oidcPaths.oauthConfiguration],
} as const;

const cachedPaths: ReadonlySet<string> = new Set([
  oidcPaths.jwks,
  oidcPaths.openidConfiguration,
  oidcPaths.oauthConfiguration,
]);
/** Verifiers may keep the keys for so long; a new key is published for longer before it signs. */
const cacheSeconds = keySetCacheMs / secondMs;

/** The endpoints for applications, at the access level `open`. */
export function programRoutes({ engine, limit }: EngineRouteParts): FastifyPluginAsync {
  return async (scope) => {
    leaveBodyUnread(scope);
    scope.setErrorHandler(answerProgramError);
    scope.addHook('onRequest', (request, _reply, done) => {
      // The keys are for verifiers, whatever an application of their network does. A preflight leads to the error itself.
      if (request.method === 'OPTIONS' || cachedPaths.has(request.routeOptions.url ?? '')) return done();
      const kind = request.routeOptions.url === oidcPaths.userinfo ? 'token' : 'client';
      const verdict = limit.ask(kind, request.source.network ?? '');
      if (verdict.remaining > 0) return done();
      return done(new Problem('too_many_requests', { retryAfterSeconds: verdict.seconds }));
    });
    const config = { ...forAnySite, ...otherProtocol, ...costing(0) };
    const schema = { hide: true };
    const handler = programHandler(engine);
    const asks = { config: { ...config, ...changesNothing }, schema };
    for (const path of programPaths.get) scope.get(path, { config, schema }, handler);
    for (const path of programPaths.post) scope.post(path, { config, schema }, handler);
    for (const path of programPaths.ask) scope.post(path, asks, handler);
    for (const path of new Set<string>(Object.values(programPaths).flat()))
      scope.options(path, { config, schema }, handler);
  };
}

/** The endpoints that browsers visit. */
export function browserRoutes({
  engine,
  sessionCookie,
  refuse,
}: EngineRouteParts & {
  /** Returns the address of the page of a refusal. */
  readonly refuse: (refusal: { readonly error: string; readonly description: string }) => string;
}): FastifyPluginAsync {
  return async (scope) => {
    const handler = browserHandler(engine, sessionCookie);
    const schema = { hide: true };
    // Also a HEAD would use up the request.
    const once = { schema, exposeHeadRoute: false };
    const config = { ...otherProtocol, ...storingForStrangers(mayWait) };
    scope.get(oidcPaths.authorization, { ...once, config }, handler);
    scope.get(`${oidcPaths.authorization}/:uid`, { ...once, config: otherProtocol }, handler);
    scope.post(
      oidcPaths.authorization,
      { config: { ...forAnySite, ...otherProtocol, ...costing(0) }, schema },
      // By design applications may send the request as a form (OpenID Connect Core 1.0 §3.1.2.1).
      formAsQuery(oidcPaths.authorization, (fault, request) => {
        const description = `${fault}: use a pushed authorization request (RFC 9126)`;
        noteReason(request.raw, { reason: description });
        return refuse({ error: 'invalid_request', description });
      }),
    );
  };
}

/**
 * Returns whether an authorization request of a stranger may wait for a person, and is stored. One with `prompt=none` is
 * answered `login_required`: applications send it from pages that many people open.
 */
function mayWait(query: unknown): boolean {
  const { prompt, request_uri: pushed } = query as Readonly<Record<string, unknown>>;
  return prompt !== 'none' || pushed !== undefined;
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** Answers a program: a request with the cookies of a user like one without, and errors never with a page. */
function programHandler(engine: RequestHandler): Handler {
  return async (request, reply) => {
    delete request.raw.headers.cookie;
    request.raw.headers.accept = 'application/json';
    const { url = '' } = request.routeOptions;
    if (['GET', 'HEAD'].includes(request.method) && cachedPaths.has(url))
      reply.raw.setHeader('cache-control', `public, max-age=${cacheSeconds}`);
    await hand(engine, request, reply);
  };
}

function browserHandler(engine: RequestHandler, sessionCookie: Cookie): Handler {
  return async (request, reply) => {
    request.raw.headers.cookie = ownCookies(request.raw.headers.cookie, sessionCookie);
    await hand(engine, request, reply);
  };
}

async function hand(engine: RequestHandler, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (Number(request.headers['content-length'] ?? 0) > bodyBytes) throw new Problem('body_too_large');
  const { source } = request;
  // The framework would not send these headers of our hooks. CORS is the engine's, by client.
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined && !name.startsWith('access-control-') && !reply.raw.hasHeader(name))
      reply.raw.setHeader(name, value);
  limitBody(request.raw);
  reply.hijack();
  try {
    await engine.handle(request.raw, reply.raw, source);
  } catch (error) {
    request.log.error({ err: error, request_id: request.id }, 'A request failed');
    if (!reply.raw.headersSent) reply.raw.writeHead(500, { 'content-type': 'application/json' });
    reply.raw.end('{"error":"server_error"}');
  }
}

/** The engine reads the body itself. */
function leaveBodyUnread(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined));
}

/** Returns a Cookie header with our session, as our reader understands it, and the cookies of the engine. */
function ownCookies(header: string | undefined, sessionCookie: Cookie): string {
  const session = sessionCookie.read(header);
  const others = (header ?? '').split(';').filter((pair) => /oidc_(?:interaction|resume)=/.test(pair));
  return [...(session === undefined ? [] : [`${sessionCookie.name}=${session}`]), ...others].join(';');
}
