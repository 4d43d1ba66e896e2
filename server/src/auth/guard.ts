// Between requests and the rules: the member door, the door of what hashes, what a request brings along, and the
// cookies that go back.
import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler, onRequestHookHandler } from 'fastify';
import { dayMs } from '../kit/clock.ts';
import { languageOf } from '../kit/language.ts';
import { isProblem, Problem } from '../kit/problem.ts';
import { createToken } from '../kit/secret.ts';
import type { ClientAddress } from '../http/client-address.ts';
import type { RefusalPace } from '../http/refusal-pace.ts';
import type { TokenCookie } from '../http/token-cookie.ts';
import type { Auth } from './auth.ts';
import type { ClientSource } from './context.ts';
import type { Login } from './login.ts';
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
    await requireSession(request, auth, cookie);
  };
}

/** The live session of a request, which is its own from here on. @throws {Problem} session_required. */
export async function requireSession(
  request: FastifyRequest,
  auth: Auth,
  cookie: TokenCookie,
): Promise<Session> {
  const session = await auth.getSession(cookie.read(request.headers.cookie));
  if (session === undefined) throw new Problem('session_required');
  request.session = session;
  return session;
}

/** The session of a request behind the member door. */
export function sessionOf(request: FastifyRequest): Session {
  if (request.session === null) throw new Error('This route is not behind the member door');
  return request.session;
}

/** What tells where a request comes from. */
export interface SourceReaders {
  readonly clientAddress: ClientAddress;
  /** Carries the session. */
  readonly cookie: TokenCookie;
  /** Carries the device, where devices are known. */
  readonly deviceCookie: TokenCookie;
  /** Carries the request that asked for a mail. */
  readonly requestCookie: TokenCookie;
}

/** Where a request comes from, and what it brings along beside its body. */
export function sourceOf(request: FastifyRequest, readers: SourceReaders): ClientSource {
  const { cookie: cookies, 'user-agent': device, 'accept-language': languages } = request.headers;
  const facts = {
    device,
    language: languageOf(languages),
    deviceToken: readers.deviceCookie.read(cookies),
    sessionToken: readers.cookie.read(cookies),
    requestToken: readers.requestCookie.read(cookies),
  };
  const given = Object.entries(facts).filter(([, value]) => value !== undefined);
  return {
    actor: request.session === null ? 'anonymous' : 'user',
    address: readers.clientAddress.of(request).address,
    requestId: request.id,
    ...(Object.fromEntries(given) as Partial<ClientSource>), // the facts above without those that are not given
  };
}

/** The source of a request for a mail: its browser is known again by a token, made here when it has none. */
export function askingSourceOf(
  request: FastifyRequest,
  readers: SourceReaders,
): ClientSource & { requestToken: string } {
  const source = sourceOf(request, readers);
  return { ...source, requestToken: source.requestToken ?? createToken('request').token };
}

/** House rules that differ between local and public mode. */
interface AuthRules {
  /** Says that an address is taken, instead of answering like a new one. */
  readonly revealAccounts: boolean;
  /** Where a reset token goes. */
  readonly resetTokenBy: 'reply' | 'mail';
  /** A registration mails a token that confirms the address. */
  readonly confirmsEmail: boolean;
}

export interface AuthRoom extends SourceReaders {
  readonly auth: Auth;
  /** At which a flood is refused. */
  readonly pace: RefusalPace;
  readonly rules: AuthRules;
}

/** Refuses a request that needs a hash while there is no time for one: in a flood that must cost next to nothing. */
export function admission({ auth, pace }: AuthRoom): { onRequest: onRequestHookHandler } {
  return {
    onRequest: (_request, _reply, done) => {
      try {
        auth.requireRoom();
      } catch (error) {
        return isProblem(error, 'too_busy') ? pace.refuse(done, error) : done(error as Error); // what it throws
      }
      return done();
    },
  };
}

/** How long a browser is known as the one that asked: as long as the longest-lived mail. */
const requestCookieMs = dayMs;

/** Tells the browser that has asked for a mail how to be known again. */
export function rememberAsker(
  reply: FastifyReply,
  { requestCookie }: AuthRoom,
  { requestToken }: ClientSource,
): void {
  if (requestToken !== undefined)
    void reply.header('set-cookie', requestCookie.write(requestToken, requestCookieMs));
}

/** Sets the cookies of a login. */
export function sendLogin(reply: FastifyReply, { auth, cookie, deviceCookie }: AuthRoom, login: Login): void {
  void reply.header('set-cookie', cookie.write(login.token, auth.sessionMs));
  if (login.deviceToken !== undefined)
    void reply.header('set-cookie', deviceCookie.write(login.deviceToken, auth.knownDeviceMs));
}
